import Glibc

/// A private cluster could not be made or started; the text says what to do.
public struct ClusterError: Error, Sendable, Hashable, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }
}

/// Where the Postgres server's programs are on this machine.
public struct PostgresInstallation: Sendable, Hashable {
    /// The directory that holds `postgres` and `initdb`.
    public let binaries: String

    /// Looks in the given directory, then the distribution's directories (newest version first), then `PATH`.
    public static func find(binaries: String? = nil) throws(ClusterError) -> PostgresInstallation {
        try find(among: [binaries].compactMap { $0 } + distributionDirectories() + pathDirectories())
    }

    static func find(among candidates: [String]) throws(ClusterError) -> PostgresInstallation {
        let found = candidates.first { directory in
            ["initdb", "postgres"].allSatisfy { access("\(directory)/\($0)", X_OK) == 0 }
        }
        guard let found else {
            throw ClusterError(
                "the PostgreSQL server is not installed (no initdb and postgres in /usr/lib/postgresql/*/bin or PATH): "
                    + "install it with `apt-get install postgresql` (Debian, Ubuntu) or "
                    + "`dnf install postgresql-server` (Fedora), or use an existing server"
            )
        }
        return PostgresInstallation(binaries: found)
    }

    func program(_ name: String) -> String { "\(binaries)/\(name)" }

    private static func distributionDirectories() -> [String] {
        ["/usr/lib/postgresql", "/usr/local/lib/postgresql"].flatMap { root in
            (directoryEntries(root) ?? []).sorted { (Int($0) ?? 0) > (Int($1) ?? 0) }.map { "\(root)/\($0)/bin" }
        } + ["/usr/pgsql/bin", "/usr/local/pgsql/bin"]
    }

    private static func pathDirectories() -> [String] {
        (environmentValue("PATH") ?? "").split(separator: ":").map(String.init)
    }
}

/// The account that a cluster runs as: Postgres refuses root.
struct ServerAccount: Sendable {
    let name: String
    let user: uid_t
    let group: gid_t
    /// Whether this process has to become it.
    let isOther: Bool

    /// The present user, or for root `postgres`, or else `nobody`.
    static func choose() throws(ClusterError) -> ServerAccount {
        guard geteuid() == 0 else {
            return ServerAccount(name: "", user: geteuid(), group: getegid(), isOther: false)
        }
        for name in ["postgres", "nobody"] {
            if let entry = getpwnam(name) {
                return ServerAccount(name: name, user: entry.pointee.pw_uid, group: entry.pointee.pw_gid, isOther: true)
            }
        }
        throw ClusterError("Postgres does not run as root, and there is no user postgres or nobody to run it as")
    }

    /// The command run as this account, ended by SIGINT (Postgres: fast shutdown) when the thread that started it ends.
    ///
    /// `setpriv` sets the death signal after it changed the user; the kernel clears it at such a change.
    func command(_ arguments: [String], endsWithParent: Bool) throws(ClusterError) -> [String] {
        var prefix = ["setpriv"]
        if isOther { prefix += ["--reuid=\(user)", "--regid=\(group)", "--clear-groups"] }
        if endsWithParent { prefix += ["--pdeathsig", "INT"] }
        return prefix.count == 1 ? arguments : prefix + ["--"] + arguments
    }
}

/// A variable of the environment; nil when it is not set.
func environmentValue(_ name: String) -> String? {
    getenv(name).map { String(cString: $0) }
}
