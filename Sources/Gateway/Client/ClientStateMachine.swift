/// The protocol of a client's connection without the connection: it is told what came and what the time is, and says
/// what is to be done.
///
/// `idle` → `head` → `body` → `answering` (a wait for limits within it) → `idle` again, or `discarding` → `closed`.
/// One request is served at a time; what a client sends ahead of its turn waits unread, up to a bound.
struct ClientStateMachine {
    enum State: Hashable {
        /// Between two requests; nothing of the next one has come.
        case idle
        /// A head has begun to come.
        case head
        /// The body is coming.
        case body(Body)
        /// The request is there, and nobody has answered it yet.
        case answering
        /// The same, and it waits until its body was read elsewhere, or for its limits.
        case waiting
        /// The last answer is written; what still comes is thrown away until the client closes.
        case discarding
        case closed
    }

    /// A body that is coming.
    struct Body: Hashable {
        var use: BodyUse
        /// What has come of it, unpacked.
        var bytes = 0
        /// Whether what has come is still being unpacked: nothing more is read meanwhile.
        var isUnpacking = false
    }

    enum BodyUse: Hashable {
        /// It is what the request asks.
        case kept
        /// Nobody asked for one: it is let pass.
        case dropped
        /// It is let pass, then the request is refused.
        case refused
    }

    /// The sizes and times that it keeps to.
    struct Bounds {
        var bodyBytesMax: Int
        var pipelinedBytesMax: Int
        var headMilliseconds: Int64
        var bodyMilliseconds: Int64
        var idleMilliseconds: Int64
        var writeStallMilliseconds: Int64

        init(_ configuration: GatewayConfiguration) {
            bodyBytesMax = configuration.limits.bodyBytes
            pipelinedBytesMax = configuration.limits.pipelinedBytes
            headMilliseconds = configuration.times.headerReadMilliseconds
            bodyMilliseconds = configuration.times.bodyReadMilliseconds
            idleMilliseconds = configuration.times.idleMilliseconds
            writeStallMilliseconds = configuration.times.writeStallMilliseconds
        }

        /// Bodies that nobody reads are let pass up to this size, so that the connection can be kept.
        static let droppedBytesMax = 64 * 1024
        /// How long a connection is kept open for a client to read a last answer.
        static let discardMilliseconds: Int64 = 2000
    }

    /// What is known of a request once its head is there.
    struct Head {
        var isHTTP11 = true
        var keepsAlive = true
        var isHeadRequest = false
        var expectsContinue = false
        /// Zero without a body; nil where its length is not told.
        var declaredBytes: Int? = 0
        var use = BodyUse.kept
    }

    enum BodyAction: Hashable {
        case go
        /// `100 Continue` is written first.
        case goOn
        /// The request is refused now, whatever of it is still to come: for its head, or as too large.
        case refuse
        case refuseTooLarge(bytesMax: Int)
    }

    enum AnsweredAction: Hashable {
        /// What the client has sent ahead is looked at.
        case next
        /// The connection is closed once the answer has gone out.
        case closeAfterFlush
        /// Only the sending half is closed: the client may still be sending, and would lose the answer otherwise.
        case discard
    }

    enum LeftAction: Hashable {
        case nothing
        case abandonWait
        case tellAnswer
    }

    enum TimeAction: Hashable {
        case nothing
        case close
        /// The client takes nothing of its answer: it counts as gone.
        case leave
        case refuseSlowBody
    }

    private(set) var state = State.idle
    private(set) var head = Head()
    /// Milliseconds of process time at which something is to be done; nil while a request is answered.
    private(set) var deadline: Int64?
    private(set) var isReadingPaused = false
    private var unwritableSince: Int64?
    private var requestsBegun = 0
    private var requestsAnswered = 0
    private let bounds: Bounds

    init(bounds: Bounds) { self.bounds = bounds }

    /// Whether the parser is asked for more.
    var isExpecting: Bool {
        switch state {
        case .idle, .head: true
        case .body(let body): !body.isUnpacking
        case .answering, .waiting, .discarding, .closed: false
        }
    }

    /// Whether what the socket brings is kept.
    var takesBytes: Bool { state != .discarding && state != .closed }

    /// Whether a request is being answered.
    var isAnswering: Bool { state == .answering }

    // MARK: Reading

    mutating func connected(now: Int64) { deadline = now + bounds.headMilliseconds }

    /// Some of a head has come and not all of it.
    mutating func beganHead(now: Int64) {
        guard state == .idle else { return }
        state = .head
        deadline = now + bounds.headMilliseconds
        check()
    }

    /// A head is there.
    mutating func tookHead(_ head: Head, now: Int64) -> BodyAction {
        assert(state == .idle || state == .head, "a head comes where one is expected")
        self.head = head
        requestsBegun += 1
        deadline = now + bounds.bodyMilliseconds
        state = .body(Body(use: head.use))
        defer { check() }
        switch head.use {
        case .kept:
            if let declared = head.declaredBytes, declared > bounds.bodyBytesMax { return tooLarge }
        case .dropped:
            if let declared = head.declaredBytes, declared > Bounds.droppedBytesMax { return tooLarge }
        case .refused:
            if (head.declaredBytes ?? .max) > Bounds.droppedBytesMax || head.expectsContinue { return .refuse }
        }
        return head.expectsContinue ? .goOn : .go
    }

    /// So many bytes of the body have come.
    mutating func tookBody(_ count: Int) -> BodyAction {
        guard case .body(var body) = state else { return .go }
        body.bytes += count
        state = .body(body)
        let isTooLarge = body.bytes > (body.use == .kept ? bounds.bodyBytesMax : Bounds.droppedBytesMax)
        guard isTooLarge else { return .go }
        return body.use == .refused ? .refuse : tooLarge
    }

    private var tooLarge: BodyAction {
        .refuseTooLarge(bytesMax: head.use == .kept ? bounds.bodyBytesMax : Bounds.droppedBytesMax)
    }

    /// What has come of the body is unpacked bit by bit; until then nothing more is looked at.
    mutating func isUnpacking(_ unpacks: Bool) {
        guard case .body(var body) = state else { return }
        body.isUnpacking = unpacks
        state = .body(body)
    }

    /// The body is whole. False when the request is refused now.
    mutating func endedBody() -> Bool {
        guard case .body(let body) = state else { return false }
        assert(!body.isUnpacking, "a body ends when all of it is unpacked")
        assert(body.use != .kept || body.bytes <= bounds.bodyBytesMax, "no body is larger than bodies may be")
        state = .answering
        deadline = nil
        check()
        return body.use != .refused
    }

    /// Whether the socket is to be read from now on; nil when that stays as it is. Beyond a bound a client cannot send
    /// ahead as much as it likes.
    mutating func holdsUnread(_ bytes: Int) -> Bool? {
        let isUnpacking = if case .body(let body) = state { body.isUnpacking } else { false }
        let pauses = takesBytes && (isUnpacking || bytes > bounds.pipelinedBytesMax)
        guard pauses != isReadingPaused else { return nil }
        isReadingPaused = pauses
        return !pauses
    }

    // MARK: Answering

    mutating func beganWait() {
        assert(state == .answering, "who waits is being answered")
        state = .waiting
        check()
    }

    /// False when the client has left meanwhile.
    mutating func endedWait() -> Bool {
        guard state == .waiting else { return false }
        state = .answering
        check()
        return true
    }

    /// The answer is written. `isLastWord`: to a request of which more may be coming.
    mutating func answered(closes: Bool, isLastWord: Bool = false, now: Int64) -> AnsweredAction? {
        guard takesBytes else { return nil }
        assert(isLastWord || state == .answering, "an answer ends a request that is whole")
        if case .idle = state { requestsBegun += 1 }
        if case .head = state { requestsBegun += 1 }
        requestsAnswered += 1
        defer { check() }
        if isLastWord {
            state = .discarding
            deadline = now + Bounds.discardMilliseconds
            return .discard
        }
        if closes || !head.keepsAlive {
            state = .discarding
            deadline = now + bounds.writeStallMilliseconds
            return .closeAfterFlush
        }
        state = .idle
        deadline = now + bounds.idleMilliseconds
        return .next
    }

    /// The connection is closed, by whomever.
    mutating func left() -> LeftAction {
        defer {
            state = .closed
            deadline = nil
            unwritableSince = nil
        }
        switch state {
        case .waiting: return .abandonWait
        case .answering: return .tellAnswer
        case .idle, .head, .body, .discarding, .closed: return .nothing
        }
    }

    // MARK: Time

    mutating func isWritable(_ isWritable: Bool, now: Int64) {
        guard state != .closed else { return }
        unwritableSince = isWritable ? nil : unwritableSince ?? now
    }

    func tick(now: Int64) -> TimeAction {
        if let unwritableSince, now >= unwritableSince + bounds.writeStallMilliseconds { return .leave }
        guard let deadline, now >= deadline else { return .nothing }
        switch state {
        case .idle, .head, .discarding: return .close
        case .body: return .refuseSlowBody
        case .answering, .waiting, .closed: return .nothing
        }
    }

    /// What holds between any two events.
    private func check() {
        assert(requestsAnswered <= requestsBegun, "no request is answered twice")
        switch state {
        case .idle, .head: assert(requestsBegun == requestsAnswered && deadline != nil, "nobody is owed an answer")
        case .body: assert(requestsBegun == requestsAnswered + 1 && deadline != nil, "a body cannot come for ever")
        case .answering, .waiting:
            assert(requestsBegun == requestsAnswered + 1 && deadline == nil, "answers have clocks of their own")
        case .discarding: assert(requestsBegun == requestsAnswered && deadline != nil, "the last answer ends it")
        case .closed: assert(deadline == nil, "nothing happens behind the end")
        }
    }
}
