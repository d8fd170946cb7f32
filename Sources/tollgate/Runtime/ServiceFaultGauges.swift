import Engines
import Telemetry

/// What of the database is out of service, as gauges: 1 while it is, 0 afterwards.
final class ServiceFaultGauges: Sendable {
    private let metrics: MetricsRegistry
    private let shown = Locked<[ServiceFault: Gauge]>([:])

    init(_ metrics: MetricsRegistry) { self.metrics = metrics }

    func show(_ faults: Set<ServiceFault>) {
        shown.withLock { shown in
            for gauge in shown.values { gauge.set(0) }
            for fault in faults {
                let gauge = metrics.gauge(
                    "tollgate_out_of_service", help: "What of the database cannot be used, and why.",
                    labels: ["kind": fault.kind.rawValue, "name": fault.name, "reason": fault.code])
                gauge.set(1)
                shown[fault] = gauge
            }
        }
    }
}
