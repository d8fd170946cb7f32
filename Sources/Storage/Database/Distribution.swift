public import Postgres

/// Why the accounts cannot be spread over nodes, and what to do about it.
public enum DistributionError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Postgres has no extension `citus`, or it is not made in this database.
    case noExtension(isInstalled: Bool)
    case tooOld(found: String)
    /// This is a worker.
    case notCoordinator
    /// The coordinator does not know itself, or no node takes rows.
    case nodesMissing(String)
    case replicated(factor: String)
    /// A setting could not be made on a node.
    case setting(String)
    /// A table is where it should not be.
    case misplaced(table: String, String)

    public var description: String {
        switch self {
        case .noExtension(let isInstalled):
            let install =
                "install Citus \(Distribution.versionMin) or later on every node and add citus to "
                + "shared_preload_libraries, restart, then "
            return "this database has no extension citus, so there is no cluster to spread accounts over: "
                + "\(isInstalled ? "" : install)run CREATE EXTENSION citus in this database on every node. "
                + "On one Postgres nothing of this is needed"
        case .tooOld(let found):
            return "the extension citus is \(found); \(Distribution.versionMin) or later is needed: update it on every "
                + "node, then ALTER EXTENSION citus UPDATE"
        case .notCoordinator:
            return "this node is a worker of the cluster: use the coordinator's address in database.url"
        case .nodesMissing(let what): return what
        case .replicated(let factor):
            return "citus.shard_replication_factor is \(factor): set it to 1, because rows of an account are locked; "
                + "keep standby servers of the nodes instead"
        case .setting(let what):
            return "citus.enable_unsafe_triggers could not be set (\(what)): as a superuser set it to on for this "
                + "database on every node, then run this again. The triggers keep to the rows of their own account"
        case .misplaced(let table, let what):
            return "the table \(table) \(what): undo it with SELECT undistribute_table('\(table)'), then run this again"
        }
    }
}

/// Spreads the accounts over the nodes of a Citus cluster: each table whose primary key begins with `account_id` is
/// distributed by it, all in one group, so that an account's rows are on one node. docs/scale.md.
public struct Distribution: Sendable {
    /// The oldest version that is known to run the statements of this program.
    public static let versionMin = "12.1"

    /// Seller-wide tables that statements join with those of accounts: every node has a copy. In the order of their
    /// foreign keys.
    static let referenceTables = ["plans", "plan_versions", "effective_prices", "sandboxes", "sandbox_moves"]

    private let configuration: PostgresConfiguration

    public init(configuration: PostgresConfiguration) {
        var own = configuration
        own.statementTimeoutMilliseconds = 0
        own.applicationName = "tollgate migrate --distributed"
        self.configuration = own
    }

    /// Does what is not done yet, and says each thing that it does; the schema must be up to date. Returns how many
    /// tables were moved. Where it ends early, running it again goes on.
    public func run(report: @Sendable (String) -> Void = { _ in }) async throws -> Int {
        let connection = try await PostgresConnection.connect(configuration)
        do {
            let moved = try await spread(on: connection, report)
            await connection.close()
            return moved
        } catch {
            await connection.close()
            throw error
        }
    }

    private func spread(on connection: PostgresConnection, _ report: (String) -> Void) async throws -> Int {
        try await check(connection)
        // The same lock as the migrator's: one at a time.
        _ = try await connection.query("SELECT pg_advisory_lock(hashtext('tollgate'))")
        try await allowTriggers(connection)
        // From here on runs wait for commits between nodes, also where this ends early.
        try await connection.execute("UPDATE installation SET is_distributed = true WHERE NOT is_distributed")
        let placed = try await places(connection)
        var moved = 0
        for table in Self.referenceTables {
            switch placed[table]?.kind {
            case "reference": continue
            case nil, "local":
                try await connection.execute("SELECT create_reference_table(\(table))")
                report("\(table): a copy on every node")
                moved += 1
            case let kind?: throw DistributionError.misplaced(table: table, "is \(kind), not a reference table")
            }
        }
        for table in try await accountTables(connection) {
            switch placed[table]?.kind {
            case "distributed": try requireWithAccounts(table, placed)
            case nil, "local":
                // `accounts` is the first: all others refer to it, or belong beside it.
                let group = table == Self.first ? "none" : Self.first
                try await connection.execute(
                    """
                    SELECT create_distributed_table(\(table), 'account_id', colocate_with => \(group))
                    """)
                report("\(table): distributed by account_id")
                moved += 1
            case let kind?: throw DistributionError.misplaced(table: table, "is \(kind), not distributed")
            }
        }
        return moved
    }

    private static let first = "accounts"

    // MARK: what must be there

    private func check(_ connection: PostgresConnection) async throws {
        let versions = try await connection.query("SELECT extversion FROM pg_extension WHERE extname = 'citus'")
        guard let version: String = try versions.first?.decode(0) else {
            let available = try await connection.query("SELECT 1 FROM pg_available_extensions WHERE name = 'citus'")
            throw DistributionError.noExtension(isInstalled: !available.isEmpty)
        }
        guard Self.isEnough(version) else { throw DistributionError.tooOld(found: version) }
        let group = try await connection.query("SELECT groupid FROM pg_dist_local_group").onlyValue(as: Int.self)
        guard group == 0 else { throw DistributionError.notCoordinator }
        let nodes = try await connection.query(
            """
            SELECT count(*) FILTER (WHERE groupid = 0) AS coordinators,
                count(*) FILTER (WHERE shouldhaveshards) AS holders
            FROM pg_dist_node WHERE noderole = 'primary' AND isactive
            """
        ).only()
        guard try nodes.decode("coordinators", as: Int.self) > 0 else {
            throw DistributionError.nodesMissing(
                "the cluster does not know its coordinator: run SELECT citus_set_coordinator_host('its own name', 5432)"
            )
        }
        guard try nodes.decode("holders", as: Int.self) > 0 else {
            throw DistributionError.nodesMissing(
                "no node of the cluster takes rows: run SELECT citus_add_node('a worker', 5432) for each worker")
        }
        let factor = try await connection.query("SELECT current_setting('citus.shard_replication_factor', true)")
            .onlyValue(as: String?.self)
        guard factor == nil || factor == "1" else { throw DistributionError.replicated(factor: factor ?? "") }
    }

    /// Whether a version is `versionMin` or later, by its first two numbers.
    static func isEnough(_ version: String) -> Bool {
        func numbers(_ text: String) -> (Int, Int) {
            let parts = text.split(whereSeparator: { !$0.isNumber }).compactMap { Int($0) }
            return (parts.first ?? 0, parts.dropFirst().first ?? 0)
        }
        return numbers(version) >= numbers(versionMin)
    }

    /// The triggers that keep invoices, ledger and audit trail from being changed read rows of their own account alone,
    /// which are on the same node: that is what Citus wants to be told before it takes triggers.
    private func allowTriggers(_ connection: PostgresConnection) async throws {
        let name = try await connection.query("SELECT current_database()").onlyValue(as: String.self)
        let quoted =
            "\"" + name.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
        let command = "ALTER DATABASE \(quoted) SET citus.enable_unsafe_triggers TO on"
        let results = try await connection.query(
            "SELECT nodeid, success, result FROM run_command_on_all_nodes(\(command))")
        for row in results where try !row.decode("success", as: Bool.self) {
            throw DistributionError.setting(
                "node \(try row.decode("nodeid", as: Int.self)): \(try row.decode("result", as: String?.self) ?? "")")
        }
        try await connection.script("SET citus.enable_unsafe_triggers TO on")
    }

    // MARK: where tables are

    private struct Place {
        let kind: String
        let column: String
        let group: Int
    }

    private func places(_ connection: PostgresConnection) async throws -> [String: Place] {
        let rows = try await connection.query(
            """
            SELECT table_name::text AS name, citus_table_type::text AS kind,
                coalesce(distribution_column::text, '') AS key, coalesce(colocation_id, 0)::integer AS colocation
            FROM citus_tables
            """)
        var places: [String: Place] = [:]
        for row in rows {
            places[try row.decode("name")] = Place(
                kind: try row.decode("kind"), column: try row.decode("key"), group: try row.decode("colocation"))
        }
        return places
    }

    private func requireWithAccounts(_ table: String, _ placed: [String: Place]) throws(DistributionError) {
        guard let place = placed[table], place.column == "account_id" else {
            throw .misplaced(table: table, "is distributed, but not by account_id")
        }
        guard place.group == placed[Self.first]?.group else {
            throw .misplaced(table: table, "is distributed, but not together with \(Self.first)")
        }
    }

    /// The tables of accounts, each after those that its foreign keys lead to. Partitions go with their table.
    private func accountTables(_ connection: PostgresConnection) async throws -> [String] {
        var rest: [String] = try await connection.query(
            """
            SELECT c.relname::text FROM pg_class c JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
            WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
                AND NOT c.relispartition AND a.attname = 'account_id'
            ORDER BY c.relname <> \(Self.first), c.relname
            """
        ).decodeAll()
        var needs: [String: Set<String>] = [:]
        let keys = try await connection.query(
            """
            SELECT DISTINCT f.relname::text AS source, t.relname::text AS target
            FROM pg_constraint k JOIN pg_class f ON f.oid = k.conrelid JOIN pg_class t ON t.oid = k.confrelid
            WHERE k.contype = 'f' AND k.connamespace = current_schema()::regnamespace AND f.oid <> t.oid
            """)
        for row in keys { needs[try row.decode("source"), default: []].insert(try row.decode("target")) }
        var ordered: [String] = []
        while let next = rest.firstIndex(where: { needs[$0, default: []].isDisjoint(with: rest) }) {
            ordered.append(rest.remove(at: next))
        }
        // Foreign keys in a circle: let the cluster say what it makes of them.
        return ordered + rest
    }
}
