internal import Synchronization

/// All metrics of the process, and their text in the Prometheus exposition format (version 0.0.4).
///
/// Ask for each metric once and keep it: lookups take a lock, recording does not. The number of series of a name is
/// bounded; what exceeds it is counted under labels that all read `other`.
public final class MetricsRegistry: Sendable {
    /// The most series of one name.
    public static let seriesMax = 512

    private let families = Mutex<[String: Family]>([:])

    public init() {}

    /// The counter of that name and those labels.
    public func counter(_ name: String, help: String, labels: KeyValuePairs<String, String> = [:]) -> Counter {
        guard case .counter(let metric) = metric(name, help, "counter", labels, make: { .counter(Counter()) }) else {
            return Counter()
        }
        return metric
    }

    /// The gauge of that name and those labels.
    public func gauge(_ name: String, help: String, labels: KeyValuePairs<String, String> = [:]) -> Gauge {
        guard case .gauge(let metric) = metric(name, help, "gauge", labels, make: { .gauge(Gauge()) }) else {
            return Gauge()
        }
        return metric
    }

    /// A gauge whose level is asked for when the text is made.
    public func gauge(
        _ name: String, help: String, labels: KeyValuePairs<String, String> = [:],
        read: @escaping @Sendable () -> Int64
    ) {
        _ = metric(name, help, "gauge", labels, make: { .read(read) })
    }

    /// A counter whose count is asked for when the text is made.
    public func counter(_ name: String, help: String, read: @escaping @Sendable () -> Int64) {
        _ = metric(name, help, "counter", [:], make: { .read(read) })
    }

    /// The histogram of that name and those labels. `bounds` are in the small unit that is observed, of which `scale`
    /// make one of the unit in the name: bounds in microseconds and a scale of 1,000,000 for `…_seconds`.
    public func histogram(
        _ name: String, help: String, bounds: [Int64], scale: Int64 = 1, labels: KeyValuePairs<String, String> = [:]
    ) -> Histogram {
        let made = metric(name, help, "histogram", labels) { .histogram(Histogram(bounds: bounds, scale: scale)) }
        guard case .histogram(let metric) = made else { return Histogram(bounds: bounds, scale: scale) }
        return metric
    }

    private func metric(
        _ name: String, _ help: String, _ type: String, _ labels: KeyValuePairs<String, String>, make: () -> Metric
    ) -> Metric {
        families.withLock { families in
            var family = families[name] ?? Family(name: name, help: help, type: type)
            defer { families[name] = family }
            var text = MetricsRegistry.text(of: labels)
            if family.series[text] == nil, family.series.count >= MetricsRegistry.seriesMax {
                text = labels.map { "\($0.key)=\"other\"" }.joined(separator: ",")
            }
            if let metric = family.series[text] { return metric }
            let metric = make()
            family.series[text] = metric
            return metric
        }
    }

    /// Everything, by name.
    public func text() -> String {
        let families = families.withLock { $0 }
        return families.values.sorted { $0.name < $1.name }.map(\.text).joined()
    }

    private static func text(of labels: KeyValuePairs<String, String>) -> String {
        labels.map { name, value in
            var escaped = ""
            for character in value.unicodeScalars {
                switch character {
                case "\\": escaped += "\\\\"
                case "\"": escaped += "\\\""
                case "\n": escaped += "\\n"
                default: escaped.unicodeScalars.append(character)
                }
            }
            return "\(name)=\"\(escaped)\""
        }.joined(separator: ",")
    }
}

private enum Metric: Sendable {
    case counter(Counter)
    case gauge(Gauge)
    case histogram(Histogram)
    case read(@Sendable () -> Int64)
}

/// All series of one name.
private struct Family: Sendable {
    let name: String
    let help: String
    let type: String
    var series: [String: Metric] = [:]

    var text: String {
        var text = "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
        for (labels, metric) in series.sorted(by: { $0.key < $1.key }) {
            switch metric {
            case .counter(let counter): text += line("", labels, String(counter.value))
            case .gauge(let gauge): text += line("", labels, String(gauge.value))
            case .read(let read): text += line("", labels, String(read()))
            case .histogram(let histogram): text += lines(of: histogram, labels)
            }
        }
        return text
    }

    private func lines(of histogram: Histogram, _ labels: String) -> String {
        let (counts, sum) = histogram.snapshot
        var text = ""
        var total: Int64 = 0
        for (index, count) in counts.enumerated() {
            total += count
            let bound = index < histogram.bounds.count ? scaled(histogram.bounds[index], histogram.scale) : "+Inf"
            text += line("_bucket", labels.isEmpty ? "le=\"\(bound)\"" : "\(labels),le=\"\(bound)\"", String(total))
        }
        text += line("_sum", labels, scaled(sum, histogram.scale))
        return text + line("_count", labels, String(total))
    }

    private func line(_ suffix: String, _ labels: String, _ value: String) -> String {
        labels.isEmpty ? "\(name)\(suffix) \(value)\n" : "\(name)\(suffix){\(labels)} \(value)\n"
    }

    /// `value` divided by a power of ten, as decimal text without trailing zeros.
    private func scaled(_ value: Int64, _ scale: Int64) -> String {
        guard scale > 1, value >= 0 else { return String(value) }
        let width = String(scale).count - 1
        var fraction = String(value % scale)
        fraction = String(repeating: "0", count: max(0, width - fraction.count)) + fraction
        while fraction.hasSuffix("0") { fraction.removeLast() }
        return fraction.isEmpty ? String(value / scale) : "\(value / scale).\(fraction)"
    }
}
