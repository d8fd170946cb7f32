/// One key of the configuration: where it can come from, what it may be, and what it does.
///
/// Every key of `tollgate.yaml` is also an environment variable: `gateway.port` is `TOLLGATE_GATEWAY_PORT`. The
/// environment wins over the file, the file over the default.
struct Setting: Sendable {
    enum Kind: Sendable {
        case text
        case secret
        case integer(ClosedRange<Int>)
        case choice([String])
    }

    /// Dotted path in the file.
    let key: String
    let kind: Kind
    /// Nil when there is none: the key is optional.
    let fallback: String?
    /// One line for `tollgate config check`.
    let explanation: String
    /// The environment variable that sets it.
    let variable: String

    init(
        _ key: String, _ kind: Kind, fallback: String? = nil, variable: String? = nil, _ explanation: String
    ) {
        self.key = key
        self.kind = kind
        self.fallback = fallback
        self.explanation = explanation
        self.variable = variable ?? "TOLLGATE_" + key.uppercased().map { $0 == "." ? "_" : String($0) }.joined()
    }

    /// Nil when `value` fits; otherwise what is wrong and what would be right.
    func complaint(about value: String) -> String? {
        switch kind {
        case .text, .secret:
            return value.isEmpty ? "is empty; leave the key out instead" : nil
        case .integer(let range):
            guard let number = Int(value) else { return "is not a whole number: '\(value)'" }
            return range.contains(number) ? nil : "is \(number); it must be \(range.lowerBound) to \(range.upperBound)"
        case .choice(let choices):
            return choices.contains(value) ? nil : "is '\(value)'; it must be one of \(choices.joined(separator: ", "))"
        }
    }

    /// Whether a variable of the environment is a setting, or none of this program's business.
    static func isKnown(variable: String) -> Bool {
        guard variable.hasPrefix("TOLLGATE_") else { return true }
        return all.contains { $0.variable == variable } || outside.contains(variable)
            || variable.hasPrefix("TOLLGATE_BACKEND_") || isOfKubernetes(variable)
    }

    /// What Kubernetes tells every container of a service named `tollgate`.
    private static func isOfKubernetes(_ variable: String) -> Bool {
        variable == "TOLLGATE_PORT" || variable.hasPrefix("TOLLGATE_PORT_") || variable.hasPrefix("TOLLGATE_SERVICE_")
    }

    /// Variables of the tests (where the program is to be killed, by whom it was started), and of the example clients.
    private static let outside: Set<String> = [
        "TOLLGATE_KILL_POINT", "TOLLGATE_TEST_RUN", "TOLLGATE_GATEWAY_URL", "TOLLGATE_KEY", "TOLLGATE_MODEL",
    ]

    /// Every key there is, in the order that `config check` shows them.
    static let all: [Setting] = [
        Setting("database.url", .secret, "Postgres: postgres://user@host:5432/database?sslmode=require"),
        Setting("database.migrations", .text, fallback: "migrations", "the directory of the schema's migrations"),
        Setting(
            "secrets.key_file", .text, "file of the keys that encrypt backends' secrets: the first one, then old ones"),
        Setting(
            "secrets.key", .secret, variable: "TOLLGATE_SECRET_KEY",
            "the same keys themselves, with commas between them"),
        Setting("journal.directory", .text, "the gateway's journal; on a disk that outlives the process"),
        Setting(
            "journal.segment_bytes", .integer(1 << 20...1 << 30), fallback: "67108864",
            "size of one preallocated segment"),
        Setting(
            "gateway.ingest", .choice(["inside", "apart"]), fallback: "inside",
            "who takes the journal into the database: the gateway's process, or `tollgate serve ingest` beside it"),
        Setting("gateway.name", .text, fallback: "gateway", "how listings call this gateway's journal"),
        Setting("gateway.host", .text, fallback: "127.0.0.1", "address that the inference API listens on"),
        Setting("gateway.port", .integer(0...65_535), fallback: "8080", "its port; 0 takes a free one"),
        Setting("gateway.tls_certificate", .text, "PEM file of the certificate chain; without it the port is plain"),
        Setting("gateway.tls_key", .text, "PEM file of the certificate's key"),
        Setting("gateway.threads", .integer(1...256), "event loops; default: one a processor that it may use"),
        Setting(
            "gateway.body_bytes_max", .integer(1024...1 << 30), fallback: "33554432", "largest request body, in bytes"),
        Setting(
            "gateway.memory_bytes_max", .integer(1 << 20...1 << 50),
            "memory for the bodies of all requests together; default: a quarter of the machine's"),
        Setting("gateway.metrics_key", .secret, "bearer token that opens /metrics on the gateway's port"),
        Setting("gateway.metrics_host", .text, fallback: "127.0.0.1", "address of the metrics' own port"),
        Setting("gateway.metrics_port", .integer(0...65_535), "a port of its own for /metrics, without a key"),
        Setting("gateway.connections_max", .integer(1...1_000_000), fallback: "10000", "most client connections"),
        Setting(
            "gateway.first_byte_seconds_max", .integer(1...86_400), fallback: "600",
            "longest wait for an engine's first byte"),
        Setting(
            "gateway.idle_seconds_max", .integer(1...86_400), fallback: "120", "longest silence within an answer"),
        Setting("gateway.total_seconds_max", .integer(1...86_400), fallback: "3600", "longest answer"),
        Setting(
            "gateway.limit_wait_milliseconds_max", .integer(1...1000), fallback: "50",
            "how long a request waits for a larger slice of a limit; a database far away needs more"),
        Setting(
            "gateway.drain_seconds_max", .integer(0...3600), fallback: "60",
            "how long running answers may go on after SIGTERM"),
        Setting(
            "gateway.upstream_ca", .text, "PEM file of authorities to trust for engines over TLS, beside the system's"),
        Setting("admin.host", .text, fallback: "127.0.0.1", "address that the admin API listens on"),
        Setting("admin.port", .integer(0...65_535), fallback: "8081", "its port; 0 takes a free one"),
        Setting(
            "jobs.interval_seconds", .integer(1...86_400), fallback: "60",
            "how often the ledger is posted from the rollups"),
        Setting(
            "billing.grace_minutes", .integer(0...10_080), fallback: "60",
            "how long after a period's end its invoice waits for stragglers"),
        Setting(
            "log.level", .choice(["debug", "info", "notice", "warning", "error"]), fallback: "info",
            "least level logged"),
    ]

    static let byKey = Dictionary(uniqueKeysWithValues: all.map { ($0.key, $0) })
}
