import Testing

@Suite struct SchemaCheckerTests {
    private func violations(_ sql: String, sellerWide: Set<String> = []) -> [String] {
        var schema = Schema()
        schema.apply(sql, path: "migrations/0001_example.sql")
        return SchemaRules.distribution(schema, sellerWide: sellerWide).map(\.message)
    }

    @Test func `a gap, a repeated number and a wrong name are found`() {
        #expect(SchemaRules.numbering(["0001_a.sql", "0002_b_c.sql"]).isEmpty)
        #expect(SchemaRules.numbering(["0001_a.sql", "0003_b.sql"]).map(\.message) == ["the number after 1 is 2"])
        #expect(SchemaRules.numbering(["0001_a.sql", "0001_b.sql"]).count == 1)
        #expect(SchemaRules.numbering(["1_a.sql"]).count == 1)
        #expect(SchemaRules.numbering(["0001-A.sql"]).count == 1)
    }

    @Test func `a table keyed by account first passes`() {
        let sql = """
            -- CREATE TABLE ghost (id int PRIMARY KEY);
            CREATE TABLE IF NOT EXISTS tollgate.invoice (
                account_id uuid NOT NULL,
                invoice_id uuid NOT NULL,
                total numeric(38, 12) NOT NULL DEFAULT 0,
                note text CHECK (note <> 'PRIMARY KEY (note)'),
                CONSTRAINT invoice_key PRIMARY KEY (account_id, invoice_id),
                UNIQUE NULLS NOT DISTINCT (account_id, total)
            ) PARTITION BY RANGE (invoice_id);
            CREATE TABLE invoice_2026 PARTITION OF invoice FOR VALUES FROM ('a') TO ('b');
            CREATE UNIQUE INDEX CONCURRENTLY ON invoice USING btree (account_id, (lower(note)));
            CREATE INDEX ON invoice (note);
            CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $body$ BEGIN CREATE TABLE x (y int); END $body$;
            """
        #expect(violations(sql).isEmpty)
    }

    @Test(arguments: [
        ("CREATE TABLE a (account_id uuid)", "a: has no primary key"),
        ("CREATE TABLE a (id uuid PRIMARY KEY)", "a: account_id is not first in the primary key (id)"),
        (
            "CREATE TABLE a (account_id uuid, id uuid, PRIMARY KEY (id, account_id))",
            "a: account_id is not first in the primary key (id, account_id)"
        ),
        (
            "CREATE TABLE a (account_id uuid PRIMARY KEY, number text NOT NULL UNIQUE)",
            "a: account_id is not first in the unique index (number)"
        ),
        (
            "CREATE TABLE a (account_id uuid PRIMARY KEY, b int); CREATE UNIQUE INDEX a_b ON a (b)",
            "a: account_id is not first in the unique index (b)"
        ),
        (
            "CREATE TABLE a (account_id uuid PRIMARY KEY); ALTER TABLE a ADD COLUMN c int, ADD CONSTRAINT d UNIQUE (c)",
            "a: account_id is not first in the unique index (c)"
        ),
    ])
    func `a table that cannot be distributed is found`(sql: String, message: String) {
        #expect(violations(sql) == [message])
    }

    @Test func `a listed table is left alone, and a listed table must exist`() {
        let sql = "CREATE TABLE plan (plan_id uuid PRIMARY KEY); CREATE TABLE gone (a int); DROP TABLE gone;"
        #expect(violations(sql, sellerWide: ["plan"]).isEmpty)
        #expect(
            violations(sql, sellerWide: ["plan", "gone"]) == [
                "gone is listed as seller-wide but no migration makes it"
            ])
    }

    @Test func `the line of a violation is the statement's own`() {
        var schema = Schema()
        schema.apply("-- one\n\nCREATE TABLE a (\n    id uuid PRIMARY KEY\n);", path: "migrations/0001_a.sql")
        #expect(SchemaRules.distribution(schema, sellerWide: []).map(\.line) == [4])
    }
}
