import Engines
import Limits
import Metering
import NIOCore
import UsageJournal

extension Settlements {
    /// Work to ask after: all that is needed stands in its open record.
    struct Pending {
        enum Kind {
            /// The answer was a receipt for it.
            case receipt
            /// Its client left the stream that it was answered with: what came is known, and stands where the engine
            /// keeps nothing.
            case leftStream

            /// The most that one backend is asked after at once; more wait their turn.
            var askingMax: Int {
                switch self {
                case .receipt: 16
                case .leftStream: 4
                }
            }
        }

        let kind: Kind
        /// Its last attempt is the one that is asked after.
        var entry: UsageEntry
        let open: any OpenRequest
        /// The request as far as it is read and billed by.
        let request: InferenceRequest
        /// What it holds of its limits: of a receipt until it has ended. That of a left stream is settled by what came,
        /// and takes the rest when that is known: a client that leaves is not held up by it.
        let hold: LimitHold?
        /// What its client chose of what an engine may refuse; forgotten with the process: then anything may have been.
        let choices: ClientChoices
        var askAt = NIODeadline.now() + .milliseconds(Settlements.firstPauseMilliseconds)
        var pauseMilliseconds = Settlements.firstPauseMilliseconds
        var until = NIODeadline.now() + .hours(Settlements.hoursMax)
        var isAsking = false
        /// Since when the engine has said, each time, that it does not know the work.
        var goneSince: NIODeadline?

        init(
            _ kind: Kind, entry: UsageEntry, open: any OpenRequest, request: InferenceRequest, hold: LimitHold? = nil,
            choices: ClientChoices = [.address, .length]
        ) {
            assert(entry.attempts.last?.upstreamID != nil, "work without an id cannot be asked after")
            assert(
                (kind == .leftStream) == (entry.attempts.last?.termination == .clientAbort),
                "the next process tells the kinds apart by how their open records say that they ended")
            self.kind = kind
            self.entry = entry
            self.open = open
            self.request = request.ofLaterWork
            self.hold = hold
            self.choices = choices
        }

        /// Work that another process left, as its open record tells it.
        init(resuming entry: UsageEntry, open: any OpenRequest) {
            var entry = entry
            let pictureModel = entry.takePictureModel()
            self.init(
                entry.attempts.last?.termination == .clientAbort ? .leftStream : .receipt, entry: entry, open: open,
                request: InferenceRequest(
                    of: entry.request.surface, model: entry.request.modelRequested, tier: entry.request.tierRequested,
                    pictureModel: pictureModel))
        }

        /// The attempts as its open record keeps them.
        var attemptsOnRecord: [AttemptRecord] { entry.attempts(naming: request.pictureModel) }

        /// Whose looks it takes its turn with: no backend that hangs keeps another's work waiting, and no left stream
        /// what somebody ordered.
        struct Turn: Hashable {
            let kind: Kind
            let backend: String
        }

        var turn: Turn { Turn(kind: kind, backend: entry.attempts.last?.backend ?? "") }

        var place: ObjectSeal.Place? {
            entry.attempts.last.flatMap { last in
                last.upstreamID.map { ObjectSeal.Place(backend: last.backend, id: $0) }
            }
        }
    }
}

extension UsageEntry {
    /// The attempts, and behind them what names the model by which pictures that a tool makes are billed: the open
    /// record has no other place for it.
    fileprivate func attempts(naming pictureModel: String?) -> [AttemptRecord] {
        guard let pictureModel, let last = attempts.last, attempts.count < UsageEntry.attemptsMax else {
            return attempts
        }
        var mark = AttemptRecord(
            id: last.id, number: last.number + 1, backend: last.backend, upstreamModel: pictureModel,
            priceKey: last.priceKey)
        mark.kind = .component
        mark.upstreamID = last.upstreamID
        mark.isDelivered = false
        return attempts + [mark]
    }

    /// Takes that name from what an open record has.
    fileprivate mutating func takePictureModel() -> String? {
        guard let last = attempts.last, last.kind == .component, last.usageSource == .nothing, !last.isDelivered else {
            return nil
        }
        attempts.removeLast()
        return last.upstreamModel
    }
}

extension EngineRefusal {
    /// What the record of work says that failed so.
    var reasonOfFailedWork: String { isClients ? "engine_rejected" : "engine_error" }
}
