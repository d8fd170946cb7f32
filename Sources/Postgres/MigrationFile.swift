/// The schema and the migration files disagree, or a file failed.
public enum MigrationError: Error, Sendable, Hashable, CustomStringConvertible {
    case unreadable(String)
    /// A name that is not `NNNN_snake_name.sql`.
    case badName(String)
    /// Numbers must run 1, 2, 3 … without gaps or doubles.
    case gap(expected: Int, found: String)
    /// An applied file's text is not what was applied.
    case changed(String)
    /// The database has a version that this program does not know: it was migrated by a newer one.
    case newerSchema(found: Int, known: Int)
    /// Another migrator held the lock for too long.
    case locked
    case failed(file: String, PostgresError)
    case endedTransaction(String)

    public var description: String {
        switch self {
        case .unreadable(let path): "cannot read \(path): point to the directory of migrations"
        case .badName(let name): "\(name) is no migration: name it NNNN_snake_name.sql"
        case .gap(let expected, let found): "migration \(expected) is missing: the next file is \(found)"
        case .changed(let name):
            "\(name) was changed after it was applied: restore it and put the change into a new migration"
        case .newerSchema(let found, let known):
            "the database has schema \(found), this program knows up to \(known): use the newer program"
        case .locked: "another migration has been running for long: see whether it is stuck, then try again"
        case .failed(let file, let error): "\(file) failed and nothing of it was applied: \(error)"
        case .endedTransaction(let file):
            "\(file) ends the transaction by itself: take its BEGIN, COMMIT or ROLLBACK out"
        }
    }
}

/// One file of the migrations directory.
struct MigrationFile: Sendable, Hashable {
    /// A line with this text lets a file run outside a transaction (CREATE INDEX CONCURRENTLY). Such a file holds one
    /// statement, which must be safe to run again.
    static let noTransactionMarker = "-- tollgate: no-transaction"
    /// A line that begins with this and goes on with the SHA-256 of an earlier text of the file, from before a release:
    /// where that was applied, this one counts as applied.
    static let replacesMarker = "-- tollgate: replaces "

    let version: Int
    let name: String
    let text: String

    var runsInTransaction: Bool {
        !text.split(whereSeparator: \.isNewline).contains { $0 == Self.noTransactionMarker }
    }

    /// Checksums of earlier texts of the file.
    var replaced: Set<String> {
        Set(
            text.split(whereSeparator: \.isNewline).filter { $0.hasPrefix(Self.replacesMarker) }
                .map { String($0.dropFirst(Self.replacesMarker.count)) })
    }

    /// Reads the directory's `.sql` files, which must be numbered from 1 without gaps.
    static func readAll(in directory: String) throws(MigrationError) -> [MigrationFile] {
        guard let names = directoryEntries(directory) else { throw .unreadable(directory) }
        var files: [MigrationFile] = []
        for name in names where name.hasSuffix(".sql") {
            guard let version = version(of: name) else { throw .badName(name) }
            guard version == files.count + 1 else { throw .gap(expected: files.count + 1, found: name) }
            guard let text = readFile("\(directory)/\(name)") else { throw .unreadable("\(directory)/\(name)") }
            files.append(MigrationFile(version: version, name: name, text: text))
        }
        return files
    }

    /// The number of `NNNN_snake_name.sql`; nil for any other name.
    private static func version(of name: String) -> Int? {
        let stem = name.dropLast(4).utf8
        let (digits, rest) = (stem.prefix(4), stem.dropFirst(4))
        guard digits.count == 4, digits.allSatisfy({ (0x30...0x39).contains($0) }), rest.first == UInt8(ascii: "_"),
            rest.count > 1,
            rest.allSatisfy({ $0 == 0x5F || (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) })
        else { return nil }
        return Int(String(Substring(digits)))
    }
}
