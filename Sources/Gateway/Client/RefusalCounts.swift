import Accounts
import Identity
import Metering
import Synchronization

/// Refusals since they were last written to the journal, by key, reason and minute.
final class RefusalCounts: Sendable {
    private struct Key: Hashable {
        var accountID: AccountID?
        var keyID: KeyID?
        var reason: String
        var minute: Int64
    }

    private let counts = Mutex<[Key: Int64]>([:])

    /// The most distinct counts held between two writes; what exceeds it is counted without its key.
    private static let countsMax = 10_000

    /// Counts one refusal at `milliseconds` of billing time.
    func count(_ reason: String, grant: KeyGrant?, milliseconds: Int64) {
        let minute = milliseconds - milliseconds % 60_000
        var key = Key(accountID: grant?.accountID, keyID: grant?.keyID, reason: reason, minute: minute)
        counts.withLock { counts in
            if counts.count >= RefusalCounts.countsMax, counts[key] == nil {
                key.accountID = nil
                key.keyID = nil
            }
            counts[key, default: 0] += 1
        }
    }

    /// Everything counted, in a fixed order; afterwards nothing is.
    func takeAll() -> [RefusalCount] {
        let taken = counts.withLock { counts in
            let taken = counts
            counts.removeAll()
            return taken
        }
        return taken.map { key, count in
            RefusalCount(
                accountID: key.accountID, keyID: key.keyID, reason: key.reason,
                minute: Timestamp(milliseconds: key.minute), count: count)
        }.sorted {
            ($0.minute, $0.reason, $0.keyID?.description ?? "") < ($1.minute, $1.reason, $1.keyID?.description ?? "")
        }
    }

    /// Takes back what could not be written.
    func putBack(_ refusals: [RefusalCount]) {
        counts.withLock { counts in
            for refusal in refusals {
                let key = Key(
                    accountID: refusal.accountID, keyID: refusal.keyID, reason: refusal.reason,
                    minute: refusal.minute.milliseconds)
                counts[key, default: 0] += refusal.count
            }
        }
    }
}
