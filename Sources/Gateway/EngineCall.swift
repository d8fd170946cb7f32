import Engines
import HTTP1
import NIOCore
import NIOPosix
import NIOSSL

/// A request of the gateway's own to an engine, beside those of clients: its metrics, what a prediction came to. Each
/// has a connection of its own that is closed after it: engines may hold kept ones, and requests must not wait behind
/// them.
enum EngineCall {
    /// Where it goes, what it says and how long it may take.
    struct Question {
        let backend: Backend
        /// Another port than the backend's own, which then speaks in the clear.
        var port: Int?
        let path: String
        var headers: [HeaderField] = []
        let answerMilliseconds: Int64
    }

    /// Asks with GET and calls back once, on `eventLoop`: with the body of an answer of 200, or nil when there was
    /// none.
    static func get(
        _ question: Question, tls: NIOSSLContext?, on eventLoop: any EventLoop,
        whenAnswered: @escaping ([UInt8]?) -> Void
    ) {
        let backend = question.backend
        let handler = EngineCallHandler(request: head(of: question), whenAnswered: whenAnswered)
        let bound = NIOLoopBound(handler, eventLoop: eventLoop)
        let isTLS = backend.isTLS && question.port == nil
        let limit = TimeAmount.milliseconds(question.answerMilliseconds)
        ClientBootstrap(group: eventLoop)
            .connectTimeout(limit)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if isTLS, let tls { try pipeline.addHandler(UpstreamPool.tlsHandler(tls, host: backend.host)) }
                    try pipeline.addHandler(bound.value)
                }
            }
            .connect(host: backend.host, port: question.port ?? backend.port)
            .flatMap { channel in
                let late = channel.eventLoop.scheduleTask(in: limit) { channel.close(promise: nil) }
                channel.closeFuture.whenComplete { _ in late.cancel() }
                return channel.closeFuture
            }
            .whenComplete { _ in bound.value.finish(nil) }
    }

    private static func head(of question: Question) -> String {
        let backend = question.backend
        let host = backend.host.contains(":") ? "[\(backend.host)]" : backend.host
        let headers = question.headers.map { "\($0.name): \($0.value)\r\n" }.joined()
        return "GET \(question.path) HTTP/1.1\r\nhost: \(host):\(question.port ?? backend.port)\r\n\(headers)"
            + "accept-encoding: identity\r\nconnection: close\r\n\r\n"
    }
}

/// Sends one request and gathers its answer's body.
private final class EngineCallHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let request: String
    private var whenAnswered: (([UInt8]?) -> Void)?
    private var parser = ResponseParser()
    private var body: [UInt8] = []

    /// The most that an answer may have.
    private static let bodyBytesMax = 4 << 20

    init(request: String, whenAnswered: @escaping ([UInt8]?) -> Void) {
        self.request = request
        self.whenAnswered = whenAnswered
    }

    func finish(_ body: [UInt8]?) {
        guard let whenAnswered else { return }
        self.whenAnswered = nil
        whenAnswered(body)
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
        if case .end? = try? parser.connectionClosed() { finish(body) }
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
                finish(body)
                return true
            }
        }
        return false
    }
}
