import Testing

@testable import Postgres

@Suite struct SQLTests {
    @Test func `values become numbered parameters and never text`() {
        let name = "Robert'); DROP TABLE tenant;--"
        let sql: SQL = "SELECT \(1), \(name)::text, \(nil as Int?) FROM \(unescaped: "tenant")"
        #expect(sql.text == "SELECT $1, $2::text, $3 FROM tenant")
        #expect(sql.parameters == [.text("1"), .text(name), .null])
        #expect(sql.description.contains("Robert") == false)
    }

    @Test func `a spliced statement's parameters are numbered on`() {
        let filter: SQL = "AND state = \("open") AND size > \(3)"
        let sql: SQL = "SELECT * FROM invoice WHERE account = \(7) \(filter) LIMIT \(10)"
        #expect(sql.text == "SELECT * FROM invoice WHERE account = $1 AND state = $2 AND size > $3 LIMIT $4")
        #expect(sql.parameters == [.text("7"), .text("open"), .text("3"), .text("10")])
        #expect((filter + " OR \(true)").text == "AND state = $1 AND size > $2 OR $3")
    }

    @Test func `the first line that is not empty names the statement in errors`() {
        let sql: SQL = """

              SELECT 1
              FROM tenant
            """
        #expect(sql.firstLine.hasSuffix("SELECT 1"))
    }

    @Test func `identifiers are quoted`() {
        let sql: SQL = "CREATE DATABASE \(identifier: "a\"b")"
        #expect(sql.text == "CREATE DATABASE \"a\"\"b\"")
    }

    @Test func `array literals quote what needs it and tell null from the word NULL`() throws {
        let values: [String?] = ["a,b", "quo\"te", "back\\slash", nil, "NULL", "", "{}", "über"]
        guard case .text(let literal) = values.postgresParameter else {
            Issue.record("an array is sent as text")
            return
        }
        #expect([String?](postgresText: literal) == values)
        #expect([Int64](postgresText: "{1,2,-3}") == [1, 2, -3])
        #expect([Int64](postgresText: "{}") == [])
        #expect([Int64](postgresText: "{1,NULL}") == nil)
        #expect([String](postgresText: "{{a},{b}}") == nil)
        #expect([String](postgresText: "{\"a}") == nil)
    }

    @Test func `uuids are read with and without dashes`() throws {
        let uuid = try #require(PostgresUUID(postgresText: "0198c0de-0000-7abc-8def-0123456789ab"))
        #expect(uuid.text == "0198c0de00007abc8def0123456789ab")
        #expect(PostgresUUID(bytes: uuid.bytes) == uuid)
        #expect(PostgresUUID(postgresText: uuid.text) == uuid)
        #expect(PostgresUUID(postgresText: "0198c0de") == nil)
        #expect(PostgresUUID(postgresText: "z198c0de00007abc8def0123456789ab") == nil)
    }

    @Test func `milliseconds and Postgres's timestamps agree`() {
        #expect(TimestampMilliseconds(0).text == "1970-01-01 00:00:00.000+00")
        #expect(TimestampMilliseconds(-1).text == "1969-12-31 23:59:59.999+00")
        #expect(TimestampMilliseconds(1_767_323_045_678).text == "2026-01-02 03:04:05.678+00")
        #expect(TimestampMilliseconds(postgresText: "2024-02-29 12:00:00.5+00")?.milliseconds == 1_709_208_000_500)
        #expect(TimestampMilliseconds(postgresText: "2024-02-29 12:00:00.000999+00")?.milliseconds == 1_709_208_000_000)
        #expect(TimestampMilliseconds(postgresText: "2024-02-29 12:00:00+01") == nil)
        #expect(TimestampMilliseconds(postgresText: "infinity") == nil)
    }

    @Test func `a configuration never shows its password`() throws {
        let configuration = try PostgresConfiguration(
            url: "postgres://me:secret@db.example:6432/billing?sslmode=require")
        #expect(configuration.description == "me@db.example:6432/billing")
        #expect(configuration.keywords["password"] == "secret")
        #expect(configuration.keywords["sslmode"] == "require")
        #expect(throws: PostgresError.self) { try PostgresConfiguration(url: "postgres://[") }
    }

    @Test func `the statement cache drops what was unused longest`() {
        var cache = StatementCache(countMax: 2)
        #expect(cache.insert("a", name: "s1") == nil)
        #expect(cache.insert("b", name: "s2") == nil)
        #expect(cache.name(of: "a") == "s1")
        #expect(cache.insert("c", name: "s3") == "s2")
        #expect(cache.name(of: "b") == nil)
        #expect(cache.count == 2)
    }
}
