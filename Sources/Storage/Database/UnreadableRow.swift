import Accounts
import Monetary
import Postgres

/// A row that does not read. Its reader goes on with the others.
public struct UnreadableRow: Error, Hashable, Sendable {
    public let reason: String

    /// What `body` reads, or why the row does not read. What is wrong with the database itself is thrown.
    public static func reading<Value>(_ body: () throws -> Value) throws -> Result<Value, UnreadableRow> {
        do {
            return .success(try body())
        } catch {
            guard isOfRow(error) else { throw error }
            return .failure(UnreadableRow(reason: "\(error)"))
        }
    }

    private static func isOfRow(_ error: any Error) -> Bool {
        switch error {
        case StorageError.corrupt, is BillingCalendarError, is MonetaryError: true
        case let error as PostgresError: error.kind == .decoding
        default: false
        }
    }
}
