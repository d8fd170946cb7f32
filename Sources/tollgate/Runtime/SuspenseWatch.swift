import Accounts
import Billing
import Logging
import Storage
import Telemetry

/// Keeps the number of records in suspense in the metrics, by reason.
struct SuspenseWatch {
    let database: Database
    let intervalSeconds: Int
    let metrics: MetricsRegistry

    private var service: BillingService { BillingService(database, now: now) }
    private var watcher: Actor { .job("suspense watch", on: Actor.here.principal.origin, may: [.read(.suspense)]) }

    private struct Series: Hashable {
        let mode: AccountMode
        let reason: String
    }

    /// Runs until the task is cancelled; while the database is away the numbers stay as they were.
    func run() async {
        var gauges: [Series: Gauge] = [:]
        for mode in AccountMode.allCases {
            let series = Series(mode: mode, reason: "no_price")
            gauges[series] = gauge(series)
        }
        repeat {
            guard let waiting = try? await service.read(by: watcher, { try $0.waitingSuspense() }) else { continue }
            let counts = Dictionary(
                waiting.map { (Series(mode: $0.mode, reason: $0.reason), $0.count) }, uniquingKeysWith: +)
            for series in counts.keys where gauges[series] == nil { gauges[series] = gauge(series) }
            for (series, gauge) in gauges { gauge.set(counts[series] ?? 0) }
        } while (try? await Task.sleep(for: .seconds(intervalSeconds))) != nil
    }

    private func gauge(_ series: Series) -> Gauge {
        metrics.gauge(
            "tollgate_suspense_records", help: "Usage records in suspense: they hold up invoices.",
            labels: ["mode": series.mode.rawValue, "reason": series.reason])
    }
}
