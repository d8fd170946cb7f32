import Engines
import HTTP1
import NIOCore
import Routing

/// One try of an exchange: the engine that is asked, and what has come of its answer. Nothing but its record outlives
/// the try.
struct RunningTry {
    let route: ModelRoute
    /// The try's place in the table of routes, until the table knows how it ended.
    var ticket: RouteTable.Ticket?
    /// How it failed, if it did.
    var failure: TryFailure?
    var connection: UpstreamConnection?
    /// Whether it was sent with members that ask for usage.
    var asksForUsage = true
    var head: ResponseHead?
    /// The first of a body of which nobody knows yet how it is cut; nil where that is known.
    var beginning: (look: AnswerBeginning, bytes: ByteBuffer)?
    /// The status that the client reads in the place of the engine's; nil where it reads that.
    var shownStatus: Int?
    /// How the body reaches the client.
    var framing = HeaderForwarding.Framing.chunked
    var plain: PlainRelay?
    var stream: StreamRelay?
    /// Puts sealed ids into the answer; nil where it names nothing that an engine keeps.
    var seal: AnswerSeal?
    /// Counts the answer; nil where its backend does not ask for that.
    var counting: AnswerCounting?
    var answerBytes: Int64 = 0
    /// When the engine said something of its answer first: microseconds since the request's acceptance.
    var firstWord: Int64?
    /// Events with content that are in the journal.
    var progressEvents: Int64 = 0

    init(_ ticket: RouteTable.Ticket) {
        route = ticket.route
        self.ticket = ticket
    }

    /// The same try from its beginning, as the table of routes knows it now.
    var again: RunningTry { RunningTry(route: route, ticket: ticket) }

    private init(route: ModelRoute, ticket: RouteTable.Ticket?) {
        self.route = route
        self.ticket = ticket
    }

    /// What is known of the answer so far.
    var facts: AnswerFacts? { stream?.facts ?? plain?.facts }
}
