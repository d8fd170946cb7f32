import Postgres
import TestSupport
import Testing

@Suite(.emptyDatabase, .timeLimit(.minutes(10)))
struct CopyReaderTests {
    @Test func `rows copied out have their values, also null and empty ones`() async throws {
        let pool = try TestDatabase.required.pool
        let lines = try await pool.withTransaction { tx in
            var lines: [String] = []
            let count = try tx.copyOut(
                """
                SELECT * FROM (VALUES
                    (1::bigint, '01920000-0000-7000-8000-000000000001'::uuid, 'é', timestamptz '2000-01-01Z'),
                    (-2, NULL, '', timestamptz '1969-12-31 23:59:59.9995Z'),
                    (3, NULL, 'x', NULL)
                ) v
                """
            ) { row in
                let uuid = row[1] == nil ? "null" : "\(try row.uuid(1).low & 0xFF)"
                let time = try row.milliseconds(3).map(String.init) ?? "null"
                lines.append("\(try row.int64(0)) \(uuid) '\(try row.text(2))' \(time)")
            }
            #expect(count == 3)
            return lines
        }
        #expect(lines == ["1 1 'é' 946684800000", "-2 null '' -1", "3 null 'x' null"])
    }

    @Test func `many rows come through, none come through, and a failure leaves the connection usable`() async throws {
        struct Stop: Error {}
        let pool = try TestDatabase.required.pool
        try await pool.withTransaction { tx in
            var sum: Int64 = 0
            let count = try tx.copyOut("SELECT n::bigint FROM generate_series(1, 20000) n") { sum += try $0.int64(0) }
            #expect(count == 20_000 && sum == 200_010_000)
            #expect(try tx.copyOut("SELECT 1::bigint WHERE false") { _ in } == 0)
            #expect(throws: Stop.self) {
                try tx.copyOut("SELECT n::bigint FROM generate_series(1, 20000) n") { _ in throw Stop() }
            }
            #expect(try tx.query("SELECT 1").onlyValue(as: Int.self) == 1)
            #expect(throws: PostgresError.self) { try tx.copyOut("SELECT \(5)::bigint") { _ in } }
        }
        await #expect(throws: PostgresError.self) {
            try await pool.withTransaction { tx in
                _ = try tx.copyOut("SELECT 10 / (n - 5000) FROM generate_series(1, 9000) n") { _ in }
            }
        }
        #expect(try await pool.query("SELECT 1").onlyValue(as: Int.self) == 1)
    }
}
