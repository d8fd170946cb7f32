import ArgumentParser
import Billing
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

extension ConfigurationOptions {
    /// Looks at things, as whoever runs the command.
    func look<Result: Sendable>(_ body: @Sendable (ReadSession) throws -> Result) async throws -> Result {
        try await withBilling { try await $0.read(by: .here, body) }
    }

    /// Changes things, as whoever runs the command.
    func change<Result: Sendable>(
        _ reason: ReasonOptions? = nil, _ body: @Sendable (WriteSession) throws -> Result
    ) async throws -> Result {
        let actor = Actor.here.because(reason?.reason ?? "")
        return try await withBilling { try await $0.change(by: actor, body) }
    }

    /// The use cases for one command.
    func withBilling<Result: Sendable>(
        _ body: @Sendable (BillingService) async throws -> Result
    ) async throws -> Result {
        try await withDatabase { try await body(BillingService($0, now: now)) }
    }
}

/// Why something is changed.
struct ReasonOptions: ParsableArguments {
    @Option(help: "Why; it stays with the change in the audit trail.") var reason = ""
}

extension Actor {
    /// Whoever runs the command, on this machine.
    static var here: Actor {
        var name = [CChar](repeating: 0, count: 256)
        // Its last byte stays 0, whatever the length of the name.
        guard gethostname(&name, name.count - 1) == 0 else { return .operator(NSUserName(), on: "") }
        let host = name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        return .operator(NSUserName(), on: String(decoding: host, as: UTF8.self))
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

/// An instant of an argument.
func readInstant(_ text: String) throws -> Timestamp {
    guard let instant = Timestamp(text) else {
        throw ValidationError("'\(text)' is not an instant such as 2026-12-01T00:00:00Z")
    }
    return instant
}
