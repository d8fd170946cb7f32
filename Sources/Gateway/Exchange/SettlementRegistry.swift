import Engines
import HTTP1
import Metering
import Synchronization

/// What this gateway asks after, and what it has put on record lately. Shared by all event loops.
final class SettlementRegistry: Sendable {
    private enum State {
        case pending, wanted, settled
    }

    private struct Work {
        var state: State
        /// The most that was seen of it, while it is pending.
        var seen: AnswerFacts?
    }

    private let works = Mutex<[ObjectSeal.Place: Work]>([:])

    /// Ended work that is remembered; beyond, all of it is forgotten.
    private static let placesMax = 50_000

    func began(_ place: ObjectSeal.Place) {
        works.withLock { works in
            if works.count >= Self.placesMax { works = works.filter { $0.value.state != .settled } }
            works[place] = Work(state: .pending)
        }
    }

    func ended(_ place: ObjectSeal.Place, isSettled: Bool) {
        works.withLock { $0[place] = isSettled ? Work(state: .settled) : nil }
    }

    /// Somebody looked at the work, followed it, or tried to cancel it, and this is what the engine said. The one place
    /// that keeps the most that was ever seen of work, whoever saw it.
    func saw(_ seen: AnswerFacts, of place: ObjectSeal.Place) {
        works.withLock { works in
            guard let work = works[place], work.state != .settled else { return }
            guard var known = work.seen else {
                works[place]?.seen = seen
                return
            }
            // The word of its end stays; a look that was on its way for longer says less.
            if known.hasEndedLater, !seen.hasEndedLater {
                known.keep(seen: seen)
                works[place]?.seen = known
            } else {
                works[place]?.seen = seen
                works[place]?.seen?.keep(seen: known)
            }
        }
    }

    func seen(of place: ObjectSeal.Place) -> AnswerFacts? { works.withLock { $0[place]?.seen } }

    /// Has the work looked at soon: someone waits for its record.
    func wish(for place: ObjectSeal.Place) {
        works.withLock { if $0[place]?.state == .pending { $0[place]?.state = .wanted } }
    }

    /// Whether it is to be looked at soon; said once.
    func takeWish(_ place: ObjectSeal.Place) -> Bool {
        works.withLock { works in
            guard works[place]?.state == .wanted else { return false }
            works[place]?.state = .pending
            return true
        }
    }

    func isPending(_ place: ObjectSeal.Place) -> Bool {
        works.withLock { $0[place]?.state == .pending || $0[place]?.state == .wanted }
    }

    func isSettled(_ place: ObjectSeal.Place) -> Bool { works.withLock { $0[place]?.state == .settled } }
}

extension AnswerFacts {
    /// What a document of work that goes on, or has ended, says of it.
    init(ofWork document: [UInt8], in request: InferenceRequest, by backend: Backend) {
        let meter = AnswerMeter(request: request, backend: backend, status: 200, headers: JSONHead())
        document.withUnsafeBytes { meter.read(piece: $0) }
        meter.finish()
        self = meter.facts
    }
}

/// The head that such a document has.
private struct JSONHead: HeaderLookup {
    func first(_ lowercaseName: String) -> String? { lowercaseName == "content-type" ? "application/json" : nil }
}
