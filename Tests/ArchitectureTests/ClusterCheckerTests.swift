import Testing

/// Each rule for a cluster, on statements that keep it and on ones that do not.
@Suite struct ClusterCheckerTests {
    private let rules = ClusterRules(
        accountTables: ["tenants", "invoices", "invoice_lines", "limits"], referenceTables: ["plans", "prices"],
        localTables: ["journals", "series"])

    private func broken(_ text: String) -> [String] {
        rules.findings(SQLStatement(path: "Sources/Storage/X.swift", line: 1, text: text)).map(\.rule)
    }

    @Test(arguments: [
        "SELECT 1 FROM tenants WHERE account_id = § AND tenant_id = § FOR UPDATE",
        "SELECT 1 FROM plans WHERE plan = § FOR SHARE",
        "SELECT 1 FROM journals WHERE journal_id = § FOR UPDATE",
        "SELECT substring(number FROM 3 FOR 2) FROM invoices WHERE invoice_id = §",
        "SELECT l.limit_id FROM limits l JOIN tenants t USING (account_id)"
            + " WHERE l.account_id = § ORDER BY 1 FOR UPDATE OF l",
        "UPDATE tenants SET name = § WHERE account_id = § AND tenant_id = §",
        "UPDATE tenants t SET name = 'a' WHERE t.tenant_id = § AND t.account_id = §",
        "DELETE FROM limits WHERE account_id = ANY(§::uuid[]) AND limit_id = §",
        "DELETE FROM series WHERE series = §",
        "UPDATE invoices SET state = 'void' WHERE account_id = NEW.account_id",
        "INSERT INTO tenants (account_id, name) VALUES (§, §)"
            + " ON CONFLICT (account_id) DO UPDATE SET name = excluded.name",
        "SELECT * FROM invoices i JOIN invoice_lines l USING (account_id, invoice_id) WHERE i.invoice_id = §",
        "SELECT * FROM invoices i, invoice_lines l WHERE i.account_id = l.account_id",
        "SELECT * FROM invoices i LEFT JOIN plans p ON p.plan = i.plan",
        "SELECT t.name FROM tenants t JOIN unnest(§::uuid[]) AS a(account_id) USING (account_id)",
        "SELECT 1 FROM invoices i WHERE EXISTS (SELECT 1 FROM invoice_lines l WHERE l.account_id = i.account_id)",
        "SELECT 1 FROM invoices i WHERE i.account_id = § AND i.total > (SELECT sum(amount)"
            + " FROM invoice_lines l WHERE l.account_id = i.account_id)",
        "SELECT ARRAY(SELECT amount FROM invoice_lines l WHERE l.account_id = i.account_id) FROM invoices i",
        "SELECT CASE state WHEN 'paid' THEN §::text ELSE state END, coalesce(§::int, 0)"
            + " FROM invoices WHERE §::uuid IS NULL OR account_id = §",
        "SELECT kind, l.tier AS tier, sum(amount)::numeric(38, 12) AS amount"
            + " FROM invoice_lines l GROUP BY kind, l.tier",
        "SELECT (day AT TIME ZONE §)::date, count(*) FROM invoices GROUP BY 1",
        "WITH a AS (SELECT account_id FROM tenants), b AS (SELECT account_id FROM limits)"
            + " SELECT * FROM a FULL JOIN b USING (account_id)",
        "SELECT total IS DISTINCT FROM §, extract(day FROM issued_on) FROM invoices WHERE account_id = §",
    ])
    func `a statement that runs on a cluster passes`(text: String) {
        #expect(broken(text) == [])
    }

    @Test(arguments: [
        ("SELECT 1 FROM tenants WHERE tenant_id = § FOR UPDATE", "lock"),
        ("SELECT 1 FROM tenants WHERE account_id = ANY(§::uuid[]) FOR SHARE", "lock"),
        ("SELECT 1 FROM tenants WHERE (account_id = § OR tenant_id = §) FOR NO KEY UPDATE", "lock"),
        ("SELECT 1 FROM tenants WHERE account_id = § OR tenant_id = § FOR UPDATE", "lock"),
        ("SELECT 1 FROM tenants WHERE (account_id, tenant_id) IN (SELECT * FROM unnest(§::uuid[])) FOR UPDATE", "lock"),
        ("LOCK TABLE limits IN SHARE ROW EXCLUSIVE MODE", "table lock"),
        ("UPDATE tenants SET name = § WHERE tenant_id = §", "write"),
        ("DELETE FROM invoice_lines WHERE invoice_id = §", "write"),
        ("DELETE FROM limits", "write"),
        ("UPDATE limits l SET level = n.level FROM unnest(§::uuid[]) AS n(a) WHERE l.account_id = n.a", "write"),
        ("WITH gone AS (DELETE FROM limits WHERE limit_id = § RETURNING *) SELECT count(*) FROM gone", "write"),
        ("SELECT * FROM invoices i JOIN invoice_lines l USING (invoice_id)", "join"),
        ("SELECT * FROM invoices i JOIN invoice_lines l ON l.invoice_id = i.invoice_id WHERE i.account_id = §", "join"),
        ("SELECT * FROM invoices, tenants", "join"),
        (
            "SELECT 1 FROM invoices i WHERE EXISTS (SELECT 1 FROM invoice_lines l WHERE l.invoice_id = i.invoice_id)",
            "join"
        ),
        ("SELECT * FROM tenants t JOIN journals j ON j.gateway = t.name WHERE t.account_id = §", "local join"),
        ("SELECT * FROM journals WHERE EXISTS (SELECT 1 FROM limits WHERE account_id = §)", "local join"),
        ("SELECT a FROM unnest(§::uuid[]) AS a LEFT JOIN tenants ON tenants.account_id = a", "outer join"),
        ("SELECT 1 FROM plans p LEFT JOIN invoices i ON i.plan = p.plan", "outer join"),
        ("SELECT 1 FROM tenants t RIGHT JOIN plans p ON p.plan = t.plan", "outer join"),
        (
            "SELECT (SELECT sum(amount) FROM invoice_lines l WHERE l.account_id = i.account_id) FROM invoices i",
            "correlated sum"
        ),
        (
            "SELECT 1 FROM invoices i LEFT JOIN LATERAL (SELECT max(a) FROM invoice_lines l"
                + " WHERE l.account_id = i.account_id) x ON true",
            "correlated sum"
        ),
        ("UPDATE invoices SET paid_at = CASE § WHEN 'paid' THEN now() END WHERE account_id = §", "type"),
        ("SELECT CASE kind WHEN 'a' THEN § END FROM invoices", "type"),
        ("SELECT coalesce(total, §) FROM invoices", "type"),
        ("SELECT * FROM unnest(§, §::uuid[])", "type"),
        ("SELECT 1 FROM tenants WHERE § IS NULL OR account_id = §", "type"),
        (
            "SELECT r.price_id, p.plan, sum(r.a) FROM invoices r JOIN prices p USING (price_id) GROUP BY r.price_id",
            "grouping"
        ),
        ("SELECT kind || name, count(*) FROM invoices GROUP BY kind", "grouping"),
        ("SELECT 1 FROM (SELECT kind, tier, max(a) FROM invoices GROUP BY kind) x", "grouping"),
    ])
    func `a statement that would fail on a cluster is found`(text: String, rule: String) {
        #expect(Set(broken(text)) == [rule], "\(text)")
    }

    @Test func `a foreign key that leaves an account is found, and one that was dropped is not`() {
        func found(_ sql: String) -> [String] {
            var schema = Schema()
            schema.apply(sql, path: "migrations/0001_a.sql")
            return SchemaRules.foreignKeys(schema, sellerWide: ["plans", "seller_keys"]).map(\.message)
        }
        let tables = """
            CREATE TABLE plans (plan text PRIMARY KEY);
            CREATE TABLE accounts (account_id uuid PRIMARY KEY);
            """
        let good =
            "CREATE TABLE a (account_id uuid REFERENCES accounts, b int, FOREIGN KEY (account_id, b) REFERENCES c);"
        #expect(found(tables + good + "CREATE TABLE seller_keys (plan text NOT NULL REFERENCES plans);") == [])
        #expect(
            found(tables + "CREATE TABLE a (account_id uuid, plan text NOT NULL REFERENCES plans);")
                == ["a: a foreign key leads from an account's tables to plans"])
        #expect(
            found(tables + "CREATE TABLE a (account_id uuid); ALTER TABLE a ADD FOREIGN KEY (plan) REFERENCES plans;")
                .count == 1)
        #expect(
            found(tables + "CREATE TABLE seller_keys (account_id uuid REFERENCES accounts);")
                == ["seller_keys: a foreign key leads from the seller's tables to accounts"])
        #expect(
            found(tables + "CREATE TABLE a (account_id uuid, b int, CONSTRAINT k FOREIGN KEY (b) REFERENCES c);")
                == ["a: a foreign key to c does not begin with account_id"])
        #expect(
            found(
                tables + "CREATE TABLE a (account_id uuid, plan text REFERENCES plans);"
                    + "ALTER TABLE a DROP CONSTRAINT a_plan_fkey;") == [])
    }

    @Test func `statements are read out of Swift with their values and parts`() {
        let text = #"""
            enum X {
                static func find(_ id: ID) { tx.query("\(select) WHERE invoice_id = \(id) FOR UPDATE") }
                static func list(_ filter: Filter) {
                    // "DELETE FROM limits" is a comment.
                    tx.query(
                        """
                        \(select) WHERE \(key(id)) AND kind = ANY(\(ids.map { "\($0)" })::text[]) \(rest)
                        """)
                    log("select what you like \(id)")
                }
                private static func key(_ id: ID) -> SQL { "account_id = \(id)" }
                private static let select: SQL = """
                    SELECT total
                    FROM invoices
                    """
                private var rest: SQL { isOne ? "AND a" : "AND b" }
            }
            """#
        let found = SQLStatements([("Sources/Storage/X.swift", text)]).all
        func words(_ statement: SQLStatement) -> String {
            statement.text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        }
        #expect(found.map(\.line) == [2, 6, 9])
        #expect(words(found[0]) == "SELECT total FROM invoices WHERE invoice_id = § FOR UPDATE")
        #expect(
            words(found[1])
                == "SELECT total FROM invoices WHERE account_id = § AND kind = ANY(§::text[]) opaque")
    }

    @Test func `statements are read out of the schema's functions`() {
        let text = """
            CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$
            DECLARE
                total numeric;
            BEGIN
                SELECT sum(amount) INTO total FROM invoice_lines WHERE account_id = NEW.account_id;
                IF TG_OP = 'UPDATE' AND EXISTS (SELECT 1 FROM invoices WHERE number = OLD.number FOR UPDATE) THEN
                    RETURN NEW;
                END IF;
                UPDATE limits SET level = 0 WHERE limit_id = NEW.limit_id;
            END
            $$;
            """
        let found = PLBodies.statements(in: text, path: "migrations/0001_a.sql")
            .flatMap { statement in rules.findings(statement).map { "\(statement.line) \($0.rule)" } }
        #expect(found == ["6 lock", "9 write"])
    }
}
