import Logging
import Telemetry

/// Lets everything that logs through swift-log write into the program's one structured log.
struct StructuredLogHandler: LogHandler {
    let output: StructuredLog
    let label: String
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level

    init(log: StructuredLog, label: String) {
        output = log
        self.label = label
        logLevel = Logger.Level(rawValue: log.minimumLevel.name) ?? .info
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var merged = metadata.merging(event.metadata ?? [:]) { _, newer in newer }
        if let error = event.error { merged["error"] = "\(error)" }
        let details = merged.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
        output.log(
            StructuredLog.Level(event.level), "\(event.message)",
            ["component": .text(label), "details": .text(details)])
    }
}

extension StructuredLog.Level {
    init(_ level: Logger.Level) {
        switch level {
        case .trace, .debug: self = .debug
        case .info, .notice: self = .info
        case .warning: self = .warning
        case .error, .critical: self = .error
        }
    }

    /// By the name that the configuration uses.
    init(named name: String) {
        self = StructuredLog.Level.allCases.first { $0.name == name } ?? .info
    }
}

/// The program's log and metrics, and what is made from them.
struct Instruments: Sendable {
    let log: StructuredLog
    let metrics = MetricsRegistry()

    init(level: String) {
        log = StructuredLog(minimumLevel: StructuredLog.Level(named: level))
    }

    func logger(_ label: String) -> Logger {
        Logger(label: label) { StructuredLogHandler(log: log, label: $0) }
    }
}
