import FoundationEssentials
public import Identity
public import Postgres

/// How far each journal was ingested when something was computed: exactly the records up to these places are in it.
public struct JournalVector: Hashable, Sendable {
    /// By journal.
    public let marks: [JournalID: JournalPosition]

    public init(marks: [JournalID: JournalPosition]) {
        self.marks = marks
    }

    /// Where the journals stand that held something of the account, retired ones too. In a REPEATABLE READ transaction
    /// this is what the account's rollups hold.
    public static func current(of account: AccountID, in tx: Transaction) throws -> JournalVector {
        JournalVector(marks: try PositionStorage.positions(of: account, in: tx))
    }

    private struct Entry: Codable {
        let journal: String
        let segment: Int64
        let offset: Int64
    }

    /// In the order of the journals' ids.
    func json() throws -> String {
        let entries = marks.sorted { $0.key < $1.key }.map {
            Entry(journal: "\($0.key)", segment: $0.value.segment, offset: $0.value.offset)
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        return String(decoding: try encoder.encode(entries), as: UTF8.self)
    }

    init(json: String) throws {
        var marks: [JournalID: JournalPosition] = [:]
        for entry in try JSONDecoder().decode([Entry].self, from: Data(json.utf8)) {
            guard let id = JournalID(entry.journal) else {
                throw StorageError.corrupt("a vector of positions names \"\(entry.journal)\", which is no journal")
            }
            marks[id] = JournalPosition(segment: entry.segment, offset: entry.offset)
        }
        self.marks = marks
    }

    /// The vector as rows `(journal_id, segment, byte_offset)`, for joins.
    var rows: SQL {
        let sorted = marks.sorted { $0.key < $1.key }
        return """
            unnest(
                \(sorted.map(\.key))::uuid[], \(sorted.map(\.value.segment))::bigint[],
                \(sorted.map(\.value.offset))::bigint[]
            )
            """
    }
}
