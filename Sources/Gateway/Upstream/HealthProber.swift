import Engines
import HTTP1
import NIOCore

/// Asks after the health of backends from which requests are kept away, so that they come back without a request having
/// to try them. Confined to one event loop; none of it is on the way of a request, and nobody is asked who works.
final class HealthProber {
    private let eventLoop: any EventLoop
    private let shared: GatewayShared
    /// Backends that have not answered yet.
    private var running: Set<String> = []
    /// When each backend may be asked again; those that are back are forgotten.
    private var nextAt: [String: Int64] = [:]

    /// How often it is looked at who is to be asked.
    private static let periodMilliseconds: Int64 = 500
    /// Between two questions to one backend, where its settings do not say.
    private static let usualSeconds: Int64 = 5
    /// How long one may take to answer.
    private static let answerMilliseconds: Int64 = 2000
    /// The longest list of models that is read.
    private static let answerBytesMax = 1 << 20

    private init(eventLoop: any EventLoop, shared: GatewayShared) {
        self.eventLoop = eventLoop
        self.shared = shared
    }

    /// Begins to ask; cancel what it returns to end it.
    static func start(on eventLoop: any EventLoop, _ shared: GatewayShared) -> RepeatedTask {
        let prober = eventLoop.submit {
            NIOLoopBound(HealthProber(eventLoop: eventLoop, shared: shared), eventLoop: eventLoop)
        }
        let period = TimeAmount.milliseconds(periodMilliseconds)
        return eventLoop.scheduleRepeatedAsyncTask(initialDelay: period, delay: period) { _ in
            prober.map { $0.value.askAll() }
        }
    }

    private func askAll() {
        let now = ProcessTime.milliseconds
        for backend in shared.snapshots.current.catalogue.backends {
            guard shared.routes.wantsHealthCheck(backend, now: now) else {
                if !nextAt.isEmpty { nextAt[backend.name] = nil }
                continue
            }
            guard let path = backend.probePath, now >= nextAt[backend.name] ?? 0,
                running.insert(backend.name).inserted
            else { continue }
            nextAt[backend.name] = now + (backend.settings.probeSeconds ?? Self.usualSeconds) * 1000
            ask(backend, path)
        }
    }

    private func ask(_ backend: Backend, _ path: String) {
        let key = backend.apiKey.map { [HeaderField("authorization", "Bearer \($0)")] } ?? []
        var question = EngineCall.Question(
            backend: backend, path: path, headers: key, answerMilliseconds: Self.answerMilliseconds)
        question.answerBytesMax = Self.answerBytesMax
        EngineCall.ask(question, tls: shared.upstreamTLS, on: eventLoop) { [self] answer in
            running.remove(backend.name)
            guard let status = answer?.head.status, (200..<300).contains(status) else { return }
            shared.routes.healthChecked(backend, now: ProcessTime.milliseconds)
        }
    }
}
