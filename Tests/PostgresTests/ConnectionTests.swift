import TestSupport
import Testing

@testable import Postgres

@Suite(.emptyDatabase, .timeLimit(.minutes(10))) struct ConnectionTests {
    @Test func `types go to Postgres and come back`() async throws {
        let pool = try TestDatabase.required.pool
        let bytes: [UInt8] = [0, 1, 0x5C, 0x27, 255]
        let uuid = PostgresUUID(high: 0x0198_c0de_0000_7abc, low: 0x8def_0123_4567_89ab)
        let row = try await pool.query(
            """
            SELECT \(Int64.min)::bigint AS small, \(Int64.max)::bigint AS large, \(true)::bool AS yes,
                   \("naïve 'text' 🦊")::text AS text, \(bytes)::bytea AS bytes, \(uuid)::uuid AS uuid,
                   \(TimestampMilliseconds(1_767_323_045_678))::timestamptz AS time,
                   \(PostgresParameter.text("0.000000000001"))::numeric(38,12) AS amount,
                   \([1, nil, 3] as [Int?])::bigint[] AS numbers, \(["a", "b,c"])::text[] AS words,
                   \([true, false])::bool[] AS flags, \([uuid])::uuid[] AS uuids, \(Int128.max)::numeric AS huge,
                   \([Bytes(bytes)])::bytea[] AS blobs
            """
        ).only()
        #expect(try row.decode("small", as: Int64.self) == .min)
        #expect(try row.decode("large", as: Int.self) == .max)
        #expect(try row.decode("yes", as: Bool.self))
        #expect(try row.decode("text", as: String.self) == "naïve 'text' 🦊")
        #expect(try row.decode("bytes", as: [UInt8].self) == bytes)
        #expect(try row.decode("uuid", as: PostgresUUID.self) == uuid)
        #expect(try row.decode("time", as: TimestampMilliseconds.self).milliseconds == 1_767_323_045_678)
        #expect(try row.decode("amount", as: String.self) == "0.000000000001")
        #expect(try row.decode("numbers", as: [Int?].self) == [1, nil, 3])
        #expect(try row.decode("words", as: [String].self) == ["a", "b,c"])
        #expect(try row.decode("flags", as: [Bool].self) == [true, false])
        #expect(try row.decode("uuids", as: [PostgresUUID].self) == [uuid])
        #expect(try row.decode("huge", as: Int128.self) == .max)
        #expect(try row.decode("blobs", as: [Bytes].self) == [Bytes(bytes)])
        #expect(row[0] == String(Int64.min))
    }

    @Test func `null is an optional and otherwise an error`() async throws {
        let pool = try TestDatabase.required.pool
        let row = try await pool.query(
            "SELECT \(nil as String?)::text AS nothing, 5 AS five, \(nil as [UInt8]?)::bytea AS bytes"
        ).only()
        #expect(try row.decode("nothing", as: String?.self) == nil)
        #expect(try row.decode("five", as: Int?.self) == 5)
        #expect(try row.decode("bytes", as: [UInt8]?.self) == nil)
        #expect(row[0] == nil)
        #expect { try row.decode("nothing", as: String.self) } throws: { error in
            (error as? PostgresError)?.kind == .decoding
        }
        #expect { try row.decode("six", as: Int.self) } throws: { error in
            (error as? PostgresError)?.message.contains("no column six") == true
        }
        #expect(throws: PostgresError.self) { try row.decode("five", as: Bool.self) }
    }

    @Test func `an error carries its state and constraint and no values`() async throws {
        let pool = try TestDatabase.required.pool
        try await pool.execute("CREATE TABLE tenant (name text CONSTRAINT tenant_name_key UNIQUE)")
        try await pool.execute("INSERT INTO tenant VALUES (\("secret"))")
        let error = await #expect(throws: PostgresError.self) {
            try await pool.execute("INSERT INTO tenant VALUES (\("secret"))")
        }
        #expect(error?.sqlState == "23505")
        #expect(error?.isUniqueViolation == true)
        #expect(error?.constraint == "tenant_name_key")
        #expect(error?.statement == "INSERT INTO tenant VALUES ($1)")
        #expect(error?.detail != nil)
        #expect(error?.description.contains("secret") == false)
        let syntax = await #expect(throws: PostgresError.self) { try await pool.query("SELEC 1") }
        #expect(syntax?.sqlState == "42601")
        #expect(try await pool.query("SELECT 1").onlyValue(as: Int.self) == 1)
    }

    @Test func `text with a NUL byte is refused before it is sent`() async throws {
        let pool = try TestDatabase.required.pool
        let error = await #expect(throws: PostgresError.self) { try await pool.query("SELECT \("a\0b")::text") }
        #expect(error?.kind == .invalidParameter)
    }

    @Test func `a statement that takes too long is cancelled`() async throws {
        var configuration = try TestDatabase.required.configuration
        configuration.statementTimeoutMilliseconds = 100
        let connection = try await PostgresConnection.connect(configuration)
        let error = await #expect(throws: PostgresError.self) { try await connection.query("SELECT pg_sleep(10)") }
        #expect(error?.sqlState == "57014")
        await connection.close()
        let closed = await #expect(throws: PostgresError.self) { try await connection.query("SELECT 1") }
        #expect(closed?.kind == .closed)
    }

    @Test func `statements are prepared once and prepared anew when the table changes`() async throws {
        let database = try TestDatabase.required
        let connection = try await PostgresConnection.connect(database.configuration)
        try await connection.script("CREATE TABLE thing (a int); INSERT INTO thing VALUES (1)")
        for _ in 0..<3 { #expect(try await connection.query("SELECT * FROM thing").columns == ["a"]) }
        let count: SQL = "SELECT count(*) FROM pg_prepared_statements WHERE statement = \("SELECT * FROM thing")"
        #expect(try await connection.query(count).onlyValue(as: Int.self) == 1)
        try await connection.script("ALTER TABLE thing ADD b int")
        #expect(try await connection.query("SELECT * FROM thing").columns == ["a", "b"])
        for number in 0..<(Session.preparedCountMax + 20) {
            _ = try await connection.query("SELECT \(unescaped: String(number))")
        }
        let all = try await connection.query("SELECT count(*) FROM pg_prepared_statements").onlyValue(as: Int.self)
        #expect(all <= Session.preparedCountMax)
    }

    @Test func `ten thousand rows arrive through unnest, and again without doubles`() async throws {
        let pool = try TestDatabase.required.pool
        try await pool.execute("CREATE TABLE event (id bigint PRIMARY KEY, name text, flag bool)")
        var batch = InsertBatch(columns: [.init("id", "bigint"), .init("name", "text"), .init("flag", "bool")])
        for number in 0..<10_000 {
            let name: String? = number.isMultiple(of: 7) ? nil : "event \"\(number)\", {x}"
            try batch.append([Int64(number), name, number.isMultiple(of: 2)])
        }
        let insert = batch.insert(into: "event", "ON CONFLICT DO NOTHING RETURNING id")
        #expect(try await pool.query(insert).count == 10_000)
        #expect(try await pool.query(insert).isEmpty)
        let row = try await pool.query(
            "SELECT count(*) AS total, count(name) AS named, count(*) FILTER (WHERE flag) AS flagged FROM event"
        ).only()
        #expect(try row.decode("total", as: Int.self) == 10_000)
        #expect(try row.decode("named", as: Int.self) == 10_000 - 1_429)
        #expect(try row.decode("flagged", as: Int.self) == 5_000)
    }

    @Test func `copy streams rows, and a failing writer leaves nothing`() async throws {
        struct Stop: Error {}
        let pool = try TestDatabase.required.pool
        try await pool.execute("CREATE TABLE import (id bigint, name text, bytes bytea)")
        let count = try await pool.withTransaction { transaction in
            try transaction.copy(into: "import", columns: ["id", "name", "bytes"]) { writer in
                for number in 0..<20_000 { try writer.write([number, "tab\tline\nback\\slash", Bytes([0, 92, 10])]) }
                try writer.write([1, nil as String?, nil as Bytes?])
            }
        }
        #expect(count == 20_001)
        let row = try await pool.query("SELECT DISTINCT name, bytes FROM import WHERE name IS NOT NULL").only()
        #expect(try row.decode("name", as: String.self) == "tab\tline\nback\\slash")
        #expect(try row.decode("bytes", as: [UInt8].self) == [0, 92, 10])
        await #expect(throws: Stop.self) {
            try await pool.withTransaction { transaction in
                try transaction.copy(into: "import", columns: ["id"]) { writer in
                    try writer.write([5])
                    throw Stop()
                }
            }
        }
        let broken = await #expect(throws: PostgresError.self) {
            try await pool.withTransaction { transaction in
                try transaction.copy(into: "import", columns: ["id"]) { try $0.write(["no number"]) }
            }
        }
        #expect(broken?.sqlState == "22P02")
        #expect(try await pool.query("SELECT count(*) FROM import").onlyValue(as: Int.self) == 20_001)
    }
}
