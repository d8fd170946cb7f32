import Postgres
import TestSupport
import Testing

@Suite(.emptyDatabase, .timeLimit(.minutes(10)))
struct BinaryBatchTests {
    private static let columns: [BinaryBatch.Column] = [
        .init("id", .integer), .init("u", .uuid), .init("t", .timestamptz), .init("s", .text),
        .init("b", .boolean, standard: .blank), .init("n", .bigint, standard: .blank),
        .init("o", .bigint, standard: .null),
        .init("j", .jsonb), .init("y", .bytea), .init("m", .numeric),
    ]

    private func table(in pool: ConnectionPool) async throws {
        try await pool.execute(
            """
            CREATE TABLE wide (
                id integer, u uuid, t timestamptz, s text, b boolean NOT NULL DEFAULT false,
                n bigint NOT NULL DEFAULT 0, o bigint, j jsonb, y bytea, m numeric(38, 12)
            )
            """)
    }

    private func append(
        _ id: Int32, s: String? = "", b: Bool = false, n: Int64 = 0, o: Int64? = nil, m: Int128 = 0,
        milliseconds: Int64 = 0, to batch: inout BinaryBatch
    ) throws {
        batch.integer(id)
        batch.uuid(high: 0x0123_4567_89AB_CDEF, low: UInt64(id))
        batch.timestamp(milliseconds: milliseconds)
        batch.text(s)
        batch.boolean(b)
        batch.bigint(n)
        batch.bigint(o)
        batch.json(#"{"a": "b\"c"}"#)
        batch.bytes([0, 255, UInt8(truncatingIfNeeded: id)])
        batch.numeric(picounits: m)
        try batch.endRow()
    }

    @Test func `every value arrives as it was`() async throws {
        let pool = try TestDatabase.required.pool
        try await table(in: pool)
        var batch = BinaryBatch(columns: Self.columns)
        let texts: [String?] = [nil, "", "NULL", "a\"b,{c}\\", "漢🦜"]
        let amounts: [Int128] = [
            0, 1, -1, 27_000_000, 1_000_000_000_000, -12_345_678_901_234_567_890,
            99_999_999_999_999_999_999_999_999_999,
        ]
        for (index, amount) in amounts.enumerated() {
            try append(
                Int32(index), s: texts[index % texts.count], b: index == 3, n: index == 4 ? .min : 0,
                o: index == 5 ? 0 : nil, m: amount, milliseconds: Int64(index) * 1_111_111_111_111, to: &batch)
        }
        #expect(try await pool.execute(batch.insert(into: "wide")) == amounts.count)
        let rows = try await pool.query(
            "SELECT s, b, n, o, m, t, u, y, j->>'a' FROM wide ORDER BY id")
        #expect(rows.map { $0[0] } == (0..<7).map { texts[$0 % texts.count] })
        #expect(rows.map { $0[1] } == (0..<7).map { $0 == 3 ? "t" : "f" })
        #expect(rows.map { $0[2] } == (0..<7).map { $0 == 4 ? "-9223372036854775808" : "0" })
        #expect(rows.map { $0[3] } == (0..<7).map { $0 == 5 ? "0" : nil })
        #expect(
            rows.map { $0[4] } == [
                "0.000000000000", "0.000000000001", "-0.000000000001", "0.000027000000", "1.000000000000",
                "-12345678.901234567890", "99999999999999999.999999999999",
            ])
        #expect(rows[0][5] == "1970-01-01 00:00:00+00" && rows[1][5] == "2005-03-18 01:58:31.111+00")
        #expect(rows[1][6] == "01234567-89ab-cdef-0000-000000000001" && rows[1][7] == "\\x00ff01")
        #expect(rows.allSatisfy { $0[8] == "b\"c" })
    }

    @Test func `a column in which all rows have the table's own default is left out`() async throws {
        var batch = BinaryBatch(columns: Self.columns)
        try append(1, to: &batch)
        #expect(!batch.insert(into: "wide").text.contains("\"n\""))
        #expect(!batch.insert(into: "wide").text.contains("\"o\""))
        try append(2, n: 1, o: 0, to: &batch)
        #expect(batch.insert(into: "wide").text.contains("\"n\"") && batch.insert(into: "wide").text.contains("\"o\""))
        let pool = try TestDatabase.required.pool
        try await table(in: pool)
        var blank = BinaryBatch(columns: Self.columns)
        try append(1, to: &blank)
        try await pool.execute(blank.insert(into: "wide"))
        let row = try await pool.query("SELECT b, n, o FROM wide")[0]
        #expect(row[0] == "f" && row[1] == "0" && row[2] == nil)
    }

    @Test func `a row of another length, and a value of another type, are errors`() async throws {
        var batch = BinaryBatch(columns: [.init("id", .integer)])
        #expect(throws: PostgresError.self) { try batch.endRow() }
        batch.integer(1)
        batch.integer(2)
        #expect(throws: PostgresError.self) { try batch.endRow() }
        let pool = try TestDatabase.required.pool
        try await table(in: pool)
        var wrong = BinaryBatch(columns: [.init("id", .integer)])
        wrong.bigint(1)
        try wrong.endRow()
        await #expect(throws: PostgresError.self) { try await pool.execute(wrong.insert(into: "wide")) }
        var nul = BinaryBatch(columns: [.init("s", .text)])
        nul.text("a\u{0}b")
        try nul.endRow()
        await #expect(throws: PostgresError.self) { try await pool.execute(nul.insert(into: "wide")) }
    }
}
