/// Where a backend's own metrics stand: a path, and the port when it is not the backend's.
public struct MetricsPlace: Hashable, Sendable {
    /// Nil for the backend's own port.
    public let port: Int?
    /// Begins with a slash.
    public let path: String

    /// Reads `/metrics` or `:8002/metrics`; nil for anything else.
    public init?(_ text: String) {
        var path = text[...]
        var port: Int?
        if text.hasPrefix(":") {
            let slash = text.firstIndex(of: "/") ?? text.endIndex
            guard let number = Int(text[text.index(after: text.startIndex)..<slash]), (1...65535).contains(number)
            else { return nil }
            port = number
            path = text[slash...]
        }
        guard path.hasPrefix("/"), path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return nil }
        self.port = port
        self.path = String(path)
    }
}

extension Backend {
    /// Where to read its metrics; nil when they are not to be read.
    public var metricsPlace: MetricsPlace? {
        guard settings.readsMetrics else { return nil }
        return (settings.metricsPath ?? kind.metricsPath).flatMap { MetricsPlace($0) }
    }
}
