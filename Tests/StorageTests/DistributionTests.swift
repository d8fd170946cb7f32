import Postgres
import TestSupport
import Testing

@testable import Storage

@Suite(.database, .timeLimit(.minutes(10))) struct DistributionTests {
    private func isDistributed() async throws -> Bool {
        try await Database(TestDatabase.required.pool).read { try InstallationStorage.isDistributed(in: $0) }
    }

    /// Tables whose primary key begins with the account.
    private func accountTables() async throws -> Set<String> {
        let names: [String] = try await TestDatabase.required.pool.query(
            """
            SELECT DISTINCT k.table_name::text FROM information_schema.key_column_usage k
            JOIN information_schema.table_constraints c USING (constraint_name, table_name)
            JOIN pg_class p ON p.relname = k.table_name AND NOT p.relispartition
            WHERE c.constraint_type = 'PRIMARY KEY' AND k.ordinal_position = 1 AND k.column_name = 'account_id'
            """
        ).decodeAll()
        return Set(names)
    }

    @Test func `without the extension nothing is done, and the message says what to do`() async throws {
        let configuration = try TestDatabase.required.configuration
        let error = await #expect(throws: DistributionError.self) {
            try await Distribution(configuration: configuration).run()
        }
        #expect(error == .noExtension(isInstalled: false))
        let text = error?.description ?? ""
        for part in ["no extension citus", "shared_preload_libraries", "CREATE EXTENSION citus", "12.1 or later"] {
            #expect(text.contains(part))
        }
        #expect(try await !isDistributed())
    }

    @Test func `each account's table is distributed beside the accounts, each after those it refers to`() async throws {
        let cluster = try await StandInCluster.make()
        let said = Lines()
        let moved = try await Distribution(configuration: cluster.configuration).run { said.add($0) }
        let calls = try await cluster.calls()
        #expect(calls.first?.hasPrefix("on all nodes: ALTER DATABASE") == true)
        #expect(calls.first?.hasSuffix("SET citus.enable_unsafe_triggers TO on") == true)
        #expect(
            calls[1...6] == [
                "reference plans", "reference plan_versions", "reference effective_prices", "reference sandboxes",
                "reference sandbox_moves",
                "distribute accounts by account_id with none",
            ])
        let tables = try await accountTables()
        #expect(tables.count > 20)
        #expect(
            Set(calls.dropFirst(7))
                == Set(
                    tables.subtracting(["accounts"]).map {
                        "distribute \($0) by account_id with accounts"
                    }))
        #expect(calls.count == tables.count + 6)
        #expect(moved == tables.count + 5)
        #expect(said.all.contains("accounts: distributed by account_id"))
        #expect(said.all.contains("effective_prices: a copy on every node"))
        #expect(try await isDistributed())

        #expect(try await Distribution(configuration: cluster.configuration).run() == 0)
        #expect(try await cluster.calls().count == calls.count + 1)
    }

    @Test(arguments: ["plan_versions", "accounts", "invoices", "request_records", "usage_rollups"])
    func `what ended early goes on where it was`(table: String) async throws {
        let cluster = try await StandInCluster.make()
        let name = cluster.configuration.database ?? ""
        try await cluster.script("ALTER DATABASE \"\(name)\" SET stand_in.fails_at = '\(table)'")
        await #expect(throws: PostgresError.self) { try await Distribution(configuration: cluster.configuration).run() }
        #expect(try await isDistributed())
        try await cluster.script("ALTER DATABASE \"\(name)\" RESET stand_in.fails_at")
        _ = try await Distribution(configuration: cluster.configuration).run()
        let calls = try await cluster.calls().filter { !$0.hasPrefix("on all nodes") }
        #expect(Set(calls).count == calls.count)
        #expect(calls.count == (try await accountTables().count) + 5)
    }

    @Test(arguments: [
        ("UPDATE pg_dist_local_group SET groupid = 1", "this node is a worker"),
        ("DELETE FROM pg_dist_node WHERE groupid = 0", "citus_set_coordinator_host"),
        ("UPDATE pg_dist_node SET isactive = false WHERE groupid <> 0", "citus_add_node"),
        ("ALTER DATABASE :name SET citus.shard_replication_factor = '2'", "shard_replication_factor is 2: set it to 1"),
        ("ALTER DATABASE :name SET stand_in.refuses = '3'", "could not be set (node 3: permission denied)"),
        (
            "INSERT INTO stand_in_tables VALUES ('tenants', 'distributed', 'tenant_id', 2)",
            "the table tenants is distributed, but not by account_id"
        ),
        (
            """
            INSERT INTO stand_in_tables VALUES ('accounts', 'distributed', 'account_id', 2),
                ('tenants', 'distributed', 'account_id', 7)
            """, "the table tenants is distributed, but not together with accounts"
        ),
        ("INSERT INTO stand_in_tables VALUES ('tenants', 'reference', NULL, 1)", "the table tenants is reference"),
        (
            "INSERT INTO stand_in_tables VALUES ('plans', 'distributed', 'plan', 3)",
            "SELECT undistribute_table('plans')"
        ),
    ])
    func `a cluster that is not ready is told so`(change: String, message: String) async throws {
        let cluster = try await StandInCluster.make()
        let name = cluster.configuration.database ?? ""
        try await cluster.script(change.replacing(":name", with: "\"\(name)\""))
        let error = await #expect(throws: DistributionError.self) {
            try await Distribution(configuration: cluster.configuration).run()
        }
        #expect("\(error as Any)".isEmpty == false)
        #expect(error?.description.contains(message) == true, "\(error?.description ?? "")")
    }

    @Test func `an older version is refused`() async throws {
        #expect(["12.1", "12.1-1", "13.0", "13.0devel", "100.0"].allSatisfy(Distribution.isEnough))
        #expect(!["12.0", "11.3-1", "9.4", "", "x"].contains(where: Distribution.isEnough))
        let cluster = try await StandInCluster.make(version: "11.3-1")
        await #expect(throws: DistributionError.tooOld(found: "11.3-1")) {
            try await Distribution(configuration: cluster.configuration).run()
        }
        #expect(try await !isDistributed())
    }

    /// What the stand-in refuses, so that the statements above are known to be asked of something that refuses.
    @Test func `the stand-in refuses what a cluster refuses`() async throws {
        let cluster = try await StandInCluster.make()
        try await cluster.script(
            """
            CREATE TABLE local (id integer PRIMARY KEY);
            CREATE TABLE unkeyed (account_id uuid, number text UNIQUE, PRIMARY KEY (account_id, number));
            CREATE TABLE leads (account_id uuid PRIMARY KEY, id integer REFERENCES local);
            """)
        for (statement, part) in [
            ("create_distributed_table('unkeyed', 'account_id')", "cannot create constraint"),
            ("create_distributed_table('leads', 'account_id')", "cannot create foreign key"),
            ("create_distributed_table('limit_levels', 'account_id', colocate_with => 'accounts')", "foreign key"),
            ("create_distributed_table('invoices', 'account_id')", "triggers are not supported"),
        ] {
            let error = await #expect(throws: PostgresError.self) {
                try await cluster.pool.execute("SELECT \(unescaped: statement)")
            }
            #expect("\(error as Any)".contains(part), "\(statement)")
        }
    }
}

/// Lines that were said.
private final class Lines: @unchecked Sendable {
    private(set) var all: [String] = []
    func add(_ line: String) { all.append(line) }
}
