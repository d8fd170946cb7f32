import Engines
import HTTP1
import NIOCore
import NIOPosix
import NIOSSL

/// Reads the metrics of the backends whose catalogue entry says so, every two seconds, each on a connection of its own
/// that is closed after it: engines may hold kept ones, and requests must not wait behind them. Confined to one event
/// loop; none of it is on the way of a request.
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
        let handler = MetricsAnswer(request: Self.request(backend, place)) { [shared] body in
            let capacity = body.withUnsafeBytes { CapacityReader.read($0) }
            if capacity != EngineCapacity() {
                shared.routes.note(capacity, from: backend, now: ProcessTime.milliseconds)
            }
        }
        let bound = NIOLoopBound((self, handler), eventLoop: eventLoop)
        let tls = shared.upstreamTLS
        let isTLS = backend.isTLS && place.port == nil
        ClientBootstrap(group: eventLoop)
            .connectTimeout(.milliseconds(Self.answerMilliseconds))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if isTLS, let tls { try pipeline.addHandler(UpstreamPool.tlsHandler(tls, host: backend.host)) }
                    try pipeline.addHandler(bound.value.1)
                }
            }
            .connect(host: backend.host, port: place.port ?? backend.port)
            .flatMap { channel in
                let late = channel.eventLoop.scheduleTask(in: .milliseconds(Self.answerMilliseconds)) {
                    channel.close(promise: nil)
                }
                channel.closeFuture.whenComplete { _ in late.cancel() }
                return channel.closeFuture
            }
            .whenComplete { _ in bound.value.0.running.remove(backend.name) }
    }

    private static func request(_ backend: Backend, _ place: MetricsPlace) -> String {
        let host = backend.host.contains(":") ? "[\(backend.host)]" : backend.host
        let key = backend.apiKey.map { "authorization: Bearer \($0)\r\n" } ?? ""
        return "GET \(place.path) HTTP/1.1\r\nhost: \(host):\(place.port ?? backend.port)\r\n\(key)"
            + "accept: text/plain\r\nconnection: close\r\n\r\n"
    }
}

/// Sends one request and gathers its answer's body.
private final class MetricsAnswer: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let request: String
    private let whenRead: ([UInt8]) -> Void
    private var parser = ResponseParser()
    private var body: [UInt8] = []

    /// The most text that an engine may have.
    private static let bodyBytesMax = 4 << 20

    init(request: String, whenRead: @escaping ([UInt8]) -> Void) {
        self.request = request
        self.whenRead = whenRead
    }

    func channelActive(context: ChannelHandlerContext) {
        parser.expect()
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: request)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let piece = unwrapInboundIn(data)
        do {
            if try piece.withUnsafeReadableBytes({ try take($0) }) { context.close(promise: nil) }
        } catch {
            context.close(promise: nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        if case .end? = try? parser.connectionClosed() { whenRead(body) }
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    /// Whether nothing more is wanted.
    private func take(_ bytes: UnsafeRawBufferPointer) throws(MessageError) -> Bool {
        var offset = 0
        while let part = try parser.next(in: bytes, at: &offset) {
            switch part {
            case .head(let head): if head.status != 200 { return true }
            case .body(let range):
                body.append(contentsOf: bytes[range])
                if body.count > Self.bodyBytesMax { return true }
            case .end:
                whenRead(body)
                return true
            }
        }
        return false
    }
}
