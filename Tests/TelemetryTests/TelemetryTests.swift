import Synchronization
import Telemetry
import Testing

@Suite struct TelemetryTests {
    private final class Lines: Sendable {
        private let lines = Mutex<[String]>([])
        func append(_ line: [UInt8]) { lines.withLock { $0.append(String(decoding: line, as: UTF8.self)) } }
        var all: [String] { lines.withLock { $0 } }
    }

    @Test func `a log line is one JSON object with its time in UTC`() {
        let lines = Lines()
        let log = StructuredLog(
            minimumLevel: .info, realMilliseconds: { 1_795_385_788_042 }, write: { lines.append($0) })
        log.debug("not written")
        log.info("said \"so\"\n", ["count": 3, "isTrue": true, "who": "a\u{1}\\é"])
        #expect(
            lines.all == [
                #"{"time":"2026-11-22T22:16:28.042Z","level":"info","message":"said \"so\"\n","count":3,"isTrue":true,"#
                    + #""who":"a\u0001\\é"}"# + "\n"
            ])
    }

    @Test func `a log line has a longest length`() {
        let lines = Lines()
        let log = StructuredLog(minimumLevel: .info, write: { lines.append($0) })
        log.error(String(repeating: "x", count: 100_000), ["after": "y"])
        #expect(lines.all[0].utf8.count <= StructuredLog.lineBytesMax)
        #expect(lines.all[0].hasSuffix("\"cut\":true}\n"))
    }

    @Test func `counters, gauges and histograms print as Prometheus reads them`() {
        let registry = MetricsRegistry()
        registry.counter("b_total", help: "B.", labels: ["kind": "a\"b\\c\n"]).increment(by: 2)
        registry.counter("b_total", help: "B.", labels: ["kind": "a\"b\\c\n"]).increment()
        registry.gauge("a", help: "A.").set(-4)
        registry.gauge("c", help: "C.") { 7 }
        let histogram = registry.histogram("d_seconds", help: "D.", bounds: [1000, 1_500_000], scale: 1_000_000)
        for value: Int64 in [1000, 1001, 2_000_000] { histogram.observe(value) }
        #expect(
            registry.text() == """
                # HELP a A.
                # TYPE a gauge
                a -4
                # HELP b_total B.
                # TYPE b_total counter
                b_total{kind="a\\"b\\\\c\\n"} 3
                # HELP c C.
                # TYPE c gauge
                c 7
                # HELP d_seconds D.
                # TYPE d_seconds histogram
                d_seconds_bucket{le="0.001"} 1
                d_seconds_bucket{le="1.5"} 2
                d_seconds_bucket{le="+Inf"} 3
                d_seconds_sum 2.002001
                d_seconds_count 3

                """)
    }

    @Test func `the number of series is bounded`() {
        let registry = MetricsRegistry()
        for index in 0..<(MetricsRegistry.seriesMax + 50) {
            registry.counter("x_total", help: "X.", labels: ["id": "\(index)"]).increment()
        }
        let lines = registry.text().split(separator: "\n").filter { $0.hasPrefix("x_total") }
        #expect(lines.count == MetricsRegistry.seriesMax + 1)
        #expect(lines.contains(#"x_total{id="other"} 50"#))
    }

    @Test func `observations of many threads are all counted`() async {
        let registry = MetricsRegistry()
        let histogram = registry.histogram("h", help: "H.", bounds: [10])
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 { group.addTask { for value: Int64 in 0..<1000 { histogram.observe(value) } } }
        }
        #expect(registry.text().contains("h_count 8000"))
    }

    @Test func `a trace's parent is read strictly and passed on`() {
        let header = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        let context = TraceContext(header)
        #expect(context?.header == header)
        #expect(context?.isSampled == true)
        #expect(context?.child(spanID: 255).header == "00-0af7651916cd43dd8448eb211c80319c-00000000000000ff-01")
        for bad in [
            "", "00", "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", header + "-x",
        ] { #expect(TraceContext(bad) == nil, "\(bad)") }
        #expect(TraceContext("01" + header.dropFirst(2) + "-what-comes")?.parentID == "b7ad6b7169203331")
    }
}
