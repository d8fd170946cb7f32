import Identity
import Logging
import Metering
import Storage

/// What went into suspense together: one line of the log for many records.
struct SuspendedGroup: Hashable {
    let account: String
    let reason: String
    let model: String
    let priceKey: String
    /// Of the first record.
    var detail = ""
    var count = 0

    /// The most groups of one batch that are told apart; records beyond them are counted with the last.
    static let countMax = 20

    var metadata: Logger.Metadata {
        [
            "account": "\(account)", "reason": "\(reason)", "model": "\(model)", "price_key": "\(priceKey)",
            "records": "\(count)", "detail": "\(detail)",
        ]
    }
}

extension IngestBatch {
    /// The batch's suspended attempts by account, reason, model and price key, in the order of the journal.
    func suspended(except dropped: Set<AccountID>) -> [SuspendedGroup] {
        var groups: [SuspendedGroup] = []
        for entry in requests where !dropped.contains(entry.request.accountID) {
            for attempt in entry.attempts {
                guard let suspense = attempt.suspense else { continue }
                let found = groups.firstIndex {
                    $0.account == "\(entry.request.accountID)" && $0.reason == suspense.reason
                        && $0.model == entry.request.model && $0.priceKey == attempt.record.priceKey
                }
                if let index = found ?? (groups.count >= SuspendedGroup.countMax ? groups.indices.last : nil) {
                    groups[index].count += 1
                } else {
                    groups.append(
                        SuspendedGroup(
                            account: "\(entry.request.accountID)", reason: suspense.reason, model: entry.request.model,
                            priceKey: attempt.record.priceKey, detail: suspense.detail, count: 1))
                }
            }
        }
        return groups
    }
}
