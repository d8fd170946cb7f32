import Engines
import NIOCore

/// Reads the metrics of the backends whose catalogue entry says so, every two seconds. Confined to one event loop; none
/// of it is on the way of a request.
final class CapacityPoller {
    private let eventLoop: any EventLoop
    private let shared: GatewayShared
    /// Backends that have not answered yet.
    private var running: Set<String> = []

    /// How often each backend is asked.
    private static let periodMilliseconds: Int64 = 2000
    /// How long one may take to answer.
    private static let answerMilliseconds: Int64 = 1500

    private init(eventLoop: any EventLoop, shared: GatewayShared) {
        self.eventLoop = eventLoop
        self.shared = shared
    }

    /// Begins to ask; cancel what it returns to end it.
    static func start(on eventLoop: any EventLoop, _ shared: GatewayShared) -> RepeatedTask {
        let poller = eventLoop.submit {
            NIOLoopBound(CapacityPoller(eventLoop: eventLoop, shared: shared), eventLoop: eventLoop)
        }
        let period = TimeAmount.milliseconds(periodMilliseconds)
        return eventLoop.scheduleRepeatedAsyncTask(initialDelay: .milliseconds(100), delay: period) { _ in
            poller.map { $0.value.askAll() }
        }
    }

    private func askAll() {
        for backend in shared.snapshots.current.catalogue.backends {
            guard let place = backend.metricsPlace, running.insert(backend.name).inserted else { continue }
            ask(backend, at: place)
        }
    }

    private func ask(_ backend: Backend, at place: MetricsPlace) {
        let apiKey = backend.sendsKeyToMetrics ? backend.apiKey : nil
        let key = apiKey.map { [HeaderField("authorization", "Bearer \($0)")] } ?? []
        let question = EngineCall.Question(
            backend: backend, port: place.port, path: place.path,
            headers: key + [HeaderField("accept", "text/plain")], answerMilliseconds: Self.answerMilliseconds)
        EngineCall.get(question, tls: shared.upstreamTLS, on: eventLoop) { [self] body in
            running.remove(backend.name)
            guard let capacity = body?.withUnsafeBytes({ CapacityReader.read($0) }), capacity != EngineCapacity()
            else { return }
            shared.routes.note(capacity, from: backend, now: ProcessTime.milliseconds)
        }
    }
}
