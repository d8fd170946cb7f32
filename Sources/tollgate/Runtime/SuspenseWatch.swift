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

    /// Runs until the task is cancelled; while the database is away the numbers stay as they were.
    func run() async {
        var gauges: [String: Gauge] = ["no_price": gauge("no_price")]
        repeat {
            guard let counts = try? await service.read(by: watcher, { try $0.suspenseByReason() }) else { continue }
            for reason in counts.keys where gauges[reason] == nil { gauges[reason] = gauge(reason) }
            for (reason, gauge) in gauges { gauge.set(counts[reason] ?? 0) }
        } while (try? await Task.sleep(for: .seconds(intervalSeconds))) != nil
    }

    private func gauge(_ reason: String) -> Gauge {
        metrics.gauge(
            "tollgate_suspense_records", help: "Usage records in suspense: they hold up invoices.",
            labels: ["reason": reason])
    }
}
