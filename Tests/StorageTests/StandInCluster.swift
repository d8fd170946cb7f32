import Postgres
import TestSupport

/// Functions and tables named as Citus' own, in the running test's database: they record each call, and refuse whatever
/// the real ones refuse, at their worst. The extension itself is not to be had here.
struct StandInCluster {
    let pool: ConnectionPool
    let configuration: PostgresConfiguration

    static func make(version: String = "13.0-1") async throws -> StandInCluster {
        let database = try TestDatabase.required
        let cluster = StandInCluster(pool: database.pool, configuration: database.configuration)
        try await cluster.script(sql)
        try await cluster.script(
            """
            SET allow_system_table_mods = on;
            INSERT INTO pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)
            SELECT 99999, 'citus', 10, oid, false, '\(version)' FROM pg_namespace WHERE nspname = 'public';
            RESET allow_system_table_mods;
            """)
        return cluster
    }

    func script(_ text: String) async throws {
        try await pool.withConnection { try await $0.script(text) }
    }

    func calls() async throws -> [String] {
        try await pool.query("SELECT call FROM stand_in_calls ORDER BY number").decodeAll()
    }

    private static let sql = """
        CREATE SCHEMA citus;
        CREATE TYPE citus.distribution_type AS ENUM ('hash', 'append', 'range');
        CREATE TABLE stand_in_calls (number bigserial PRIMARY KEY, call text NOT NULL);
        CREATE TABLE stand_in_tables (name text PRIMARY KEY, kind text, key text, colocation integer);
        CREATE TABLE pg_dist_local_group (groupid integer NOT NULL);
        INSERT INTO pg_dist_local_group VALUES (0);
        CREATE TABLE pg_dist_node (
            nodeid integer PRIMARY KEY, groupid integer, noderole text, isactive boolean, shouldhaveshards boolean
        );
        INSERT INTO pg_dist_node VALUES (1, 0, 'primary', true, false), (2, 1, 'primary', true, true),
            (3, 2, 'primary', true, true), (4, 2, 'secondary', true, true);
        CREATE VIEW citus_tables AS
            SELECT name::regclass AS table_name, kind AS citus_table_type, key AS distribution_column,
                colocation AS colocation_id
            FROM stand_in_tables;

        CREATE FUNCTION stand_in_check(relation regclass, by_column text) RETURNS void LANGUAGE plpgsql AS $$
        DECLARE
            bad text;
        BEGIN
            IF current_setting('stand_in.fails_at', true) = relation::text THEN
                RAISE EXCEPTION 'connection to the remote node failed';
            END IF;
            IF EXISTS (SELECT 1 FROM stand_in_tables WHERE name = relation::text AND kind <> 'local') THEN
                RAISE EXCEPTION 'table "%" is already distributed', relation;
            END IF;
            IF (SELECT relispartition FROM pg_class WHERE oid = relation) THEN
                RAISE EXCEPTION 'cannot distribute relation "%" which is a partition', relation;
            END IF;
            IF coalesce(current_setting('citus.enable_unsafe_triggers', true), 'off') <> 'on'
                AND EXISTS (SELECT 1 FROM pg_trigger WHERE tgrelid = relation AND NOT tgisinternal) THEN
                RAISE EXCEPTION 'triggers are not supported on distributed tables';
            END IF;
            SELECT i.indexrelid::regclass::text INTO bad FROM pg_index i
                WHERE i.indrelid = relation AND i.indisunique AND by_column <> '' AND NOT EXISTS (
                    SELECT 1 FROM pg_attribute a WHERE a.attrelid = relation AND a.attname = by_column
                        AND a.attnum = ANY (i.indkey)
                ) LIMIT 1;
            IF bad IS NOT NULL THEN
                RAISE EXCEPTION 'cannot create constraint on "%"', relation
                    USING DETAIL = 'the unique index ' || bad || ' lacks the distribution column';
            END IF;
            SELECT k.conname INTO bad FROM pg_constraint k
                LEFT JOIN stand_in_tables t ON t.name = k.confrelid::regclass::text
                WHERE k.contype = 'f' AND k.conrelid = relation AND k.confrelid <> relation AND NOT coalesce(
                    t.kind = 'reference' OR t.kind = 'distributed' AND by_column <> '' AND EXISTS (
                        SELECT 1 FROM generate_subscripts(k.conkey, 1) n
                        JOIN pg_attribute a ON a.attrelid = relation AND a.attnum = k.conkey[n]
                            AND a.attname = by_column
                        JOIN pg_attribute b ON b.attrelid = k.confrelid AND b.attnum = k.confkey[n]
                            AND b.attname = t.key
                    ), false) LIMIT 1;
            IF bad IS NOT NULL THEN
                RAISE EXCEPTION 'cannot create foreign key constraint %', bad
                    USING DETAIL = 'Referenced table must be a distributed table or a reference table.';
            END IF;
        END
        $$;

        CREATE FUNCTION create_reference_table(table_name regclass) RETURNS void LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM stand_in_check(table_name, '');
            INSERT INTO stand_in_calls (call) VALUES ('reference ' || table_name::text);
            INSERT INTO stand_in_tables VALUES (table_name::text, 'reference', NULL, 1)
                ON CONFLICT (name) DO UPDATE SET kind = 'reference';
        END
        $$;

        CREATE FUNCTION create_distributed_table(
            table_name regclass, distribution_column text, distribution_type citus.distribution_type DEFAULT 'hash',
            colocate_with text DEFAULT 'default', shard_count integer DEFAULT NULL
        ) RETURNS void LANGUAGE plpgsql AS $$
        DECLARE
            beside integer := 2;
        BEGIN
            PERFORM stand_in_check(table_name, distribution_column);
            IF colocate_with NOT IN ('none', 'default') THEN
                SELECT colocation INTO beside FROM stand_in_tables WHERE name = colocate_with AND kind = 'distributed';
                IF beside IS NULL THEN
                    RAISE EXCEPTION 'relation % is not distributed', colocate_with;
                END IF;
            END IF;
            INSERT INTO stand_in_calls (call)
                VALUES ('distribute ' || table_name::text || ' by ' || distribution_column
                    || ' with ' || colocate_with);
            INSERT INTO stand_in_tables VALUES (table_name::text, 'distributed', distribution_column, beside)
                ON CONFLICT (name) DO UPDATE SET kind = 'distributed', key = excluded.key;
        END
        $$;

        CREATE FUNCTION run_command_on_all_nodes(
            command text, parallel boolean DEFAULT true, give_warning boolean DEFAULT false
        ) RETURNS TABLE (nodeid integer, success boolean, result text) LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO stand_in_calls (call) VALUES ('on all nodes: ' || command);
            RETURN QUERY SELECT n.nodeid, n.nodeid::text IS DISTINCT FROM current_setting('stand_in.refuses', true),
                CASE WHEN n.nodeid::text = current_setting('stand_in.refuses', true) THEN 'permission denied' END
                FROM pg_dist_node n WHERE n.noderole = 'primary';
        END
        $$;
        """
}
