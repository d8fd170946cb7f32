import ArgumentParser
import Foundation
import Identity
import Postgres
import Storage

/// Where the configuration comes from; every command that needs one takes it.
struct ConfigurationOptions: ParsableArguments {
    @Option(name: .long, help: "The configuration file; its keys can also be environment variables.")
    var config: String?

    func load() throws -> Configuration {
        try Configuration.load(file: config, environment: ProcessInfo.processInfo.environment)
    }

    /// The database for one command, and its end.
    func withDatabase<Result: Sendable>(
        _ body: @Sendable (Database) async throws -> Result
    ) async throws -> Result {
        let configuration = try PostgresConfiguration(url: load().required("database.url"))
        let pool = ConnectionPool(configuration, connectionCountMax: 2)
        do {
            let result = try await body(Database(pool))
            await pool.close()
            return result
        } catch {
            await pool.close()
            throw error
        }
    }
}

/// How a listing is printed.
struct OutputOptions: ParsableArguments {
    @Flag(name: .long, help: "Print JSON for programs instead of text for people.")
    var json = false

    /// Prints rows as an aligned table, or as one JSON array of objects with these column names.
    func print(columns: [String], rows: [[String]]) {
        if json {
            let objects = rows.map { row in
                JSONText.object(zip(columns, row).map { ($0.0.replacing(" ", with: "_"), JSONText.string($0.1)) })
            }
            Swift.print("[" + objects.joined(separator: ",") + "]")
        } else {
            Swift.print(Table(columns: columns, rows: rows).text)
        }
    }

    /// Prints one thing, key by key.
    func print(fields: [(String, String)]) {
        if json {
            Swift.print(JSONText.object(fields.map { ($0.0.replacing(" ", with: "_"), JSONText.string($0.1)) }))
        } else {
            let width = fields.map(\.0.count).max() ?? 0
            for (name, value) in fields {
                Swift.print(name.padding(toLength: width + 2, withPad: " ", startingAt: 0) + value)
            }
        }
    }
}

/// Columns that line up; numbers to the right.
struct Table {
    let columns: [String]
    let rows: [[String]]

    var text: String {
        let widths = columns.indices.map { column in
            ([columns] + rows).map { $0[column].count }.max() ?? 0
        }
        func line(_ cells: [String], isHeader: Bool) -> String {
            zip(cells.indices, cells).map { index, cell in
                let padding = String(repeating: " ", count: widths[index] - cell.count)
                let isNumber = !rows.isEmpty && rows.allSatisfy { $0[index].isEmpty || $0[index].isNumeric }
                return isNumber ? padding + cell : cell + padding
            }
            .joined(separator: "  ")
            .trimmingTrailingSpaces
        }
        return ([line(columns, isHeader: true)] + rows.map { line($0, isHeader: false) }).joined(separator: "\n")
    }
}

extension String {
    fileprivate var isNumeric: Bool {
        !isEmpty && allSatisfy { $0.isNumber || "-.,%".contains($0) }
    }

    fileprivate var trimmingTrailingSpaces: String {
        var copy = self[...]
        while copy.last == " " { copy.removeLast() }
        return String(copy)
    }
}

/// Says something about the progress of a command, on standard error, so that standard output stays clean.
func say(_ text: String) {
    FileHandle.standardError.write(Data((text + "\n").utf8))
}

/// Real time.
func now() -> Timestamp {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Timestamp(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
}

/// A fresh id.
func fresh<Kind>(_ type: TypedID<Kind>.Type = TypedID<Kind>.self) -> TypedID<Kind> {
    var generator = SystemRandomNumberGenerator()
    return TypedID(
        UUIDv7(milliseconds: now().milliseconds, randomness: (generator.next(), generator.next())))
}

/// Parses a prefixed id of an argument, or says what one looks like.
func readID<Kind: IDKind>(_ text: String, as type: TypedID<Kind>.Type = TypedID<Kind>.self) throws -> TypedID<Kind> {
    guard let id = TypedID<Kind>(text) else {
        throw ValidationError("'\(text)' is not an id of this kind: it looks like \(Kind.prefix)_ and 32 digits")
    }
    return id
}
