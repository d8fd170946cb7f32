public import Identity
import Synchronization

/// Knows of batches that were metered before, by this gateway or another: what the database has. The
/// database's is the real one; a gateway without it meters again what it does not remember, which changes nothing.
public protocol BatchBook: Sendable {
    /// Which of these requests, each the creation of a batch, are on record. Throws where that cannot be told now.
    func recorded(_ creations: [BatchCreation]) async throws -> Set<RequestID>
}

/// The request that created a batch; its record is written when those of all its lines are.
public struct BatchCreation: Hashable, Sendable {
    public let accountID: AccountID
    public let requestID: RequestID

    /// A request of this account.
    public init(accountID: AccountID, requestID: RequestID) {
        self.accountID = accountID
        self.requestID = requestID
    }
}

/// What this gateway knows of batches that have ended. Shared by all event loops.
final class BatchRegistry: Sendable {
    private enum State {
        case settling, settled
    }

    let book: (any BatchBook)?
    private let states = Mutex<[ObjectSeal.Place: State]>([:])
    /// The files that batches read which are not settled yet, by their batches.
    private let inputs = Mutex<[ObjectSeal.Place: String]>([:])

    /// Batches remembered; beyond, all are forgotten that are settled, and the book is asked again.
    private static let placesMax = 50_000

    init(book: (any BatchBook)?) { self.book = book }

    /// Whether all lines of the batch are on record.
    func isSettled(_ place: ObjectSeal.Place) -> Bool { states.withLock { $0[place] == .settled } }

    /// Takes the batch on; false where that is done, or someone is at it.
    func begin(_ place: ObjectSeal.Place) -> Bool {
        states.withLock { states in
            guard states[place] == nil else { return false }
            if states.count >= Self.placesMax { states = states.filter { $0.value == .settling } }
            states[place] = .settling
            return true
        }
    }

    /// The batch was settled, or could not be.
    func end(_ place: ObjectSeal.Place, isSettled: Bool) {
        states.withLock { $0[place] = isSettled ? .settled : nil }
        if isSettled { forget(place) }
    }

    /// A batch that is not settled reads this file.
    func reads(_ place: ObjectSeal.Place, _ file: String) {
        inputs.withLock { inputs in
            if inputs.count < Self.placesMax { inputs[place] = file }
        }
    }

    /// The batch is gone, or settled.
    func forget(_ place: ObjectSeal.Place) { inputs.withLock { $0[place] = nil } }

    /// Whether a batch that is not settled reads this file, as far as this gateway knows.
    func isRead(_ file: ObjectSeal.Place) -> Bool {
        inputs.withLock { inputs in inputs.contains { $0.key.backend == file.backend && $0.value == file.id } }
    }
}
