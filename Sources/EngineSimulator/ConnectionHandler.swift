import NIOCore
import NIOHTTP1

/// One connection: collects requests, serves them one after the other, and notices when its client leaves.
final class ConnectionHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    /// A larger body is refused with 413.
    static let bodyBytesMax = 32 << 20
    /// A connection with more requests waiting is closed.
    static let waitingRequestsMax = 64

    private let engine: Engine
    private var head: HTTPRequestHead?
    private var body: [UInt8] = []
    private var bodyIsTooLarge = false
    private var waiting = CircularBuffer<Exchange>()
    private var running: Generation?

    init(engine: Engine) {
        self.engine = engine
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            body.removeAll(keepingCapacity: true)
            bodyIsTooLarge = false
        case .body(let part):
            guard body.count + part.readableBytes <= Self.bodyBytesMax else {
                bodyIsTooLarge = true
                return
            }
            body.append(contentsOf: part.readableBytesView)
        case .end:
            guard let head else { return }
            self.head = nil
            guard waiting.count < Self.waitingRequestsMax, !bodyIsTooLarge else {
                let error = EngineError(status: 413, type: "BadRequestError", message: "too much at once")
                respond(PreparedAnswer(status: 413, body: error.json), keepAlive: false, context: context)
                return
            }
            waiting.append(Exchange(head: head, body: body))
            serveNext(context: context)
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { running?.becameWritable() }
        context.fireChannelWritabilityChanged()
    }

    func channelInactive(context: ChannelHandlerContext) {
        waiting.removeAll()
        running?.clientLeft()
        running = nil
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func serveNext(context: ChannelHandlerContext) {
        while running == nil, let exchange = waiting.popFirst() {
            let keepAlive = exchange.head.isKeepAlive
            switch engine.reply(to: exchange) {
            case .prepared(let answer):
                respond(answer, keepAlive: keepAlive, context: context)
            case .generate(let order):
                let generation = Generation(order, engine: engine, context: context, keepAlive: keepAlive) {
                    self.running = nil
                    guard keepAlive else { return context.close(promise: nil) }
                    self.serveNext(context: context)
                }
                running = generation
                generation.start()
            }
        }
    }

    private func respond(_ answer: PreparedAnswer, keepAlive: Bool, context: ChannelHandlerContext) {
        context.write(wrapOutboundOut(.head(answer.head(keepAlive: keepAlive))), promise: nil)
        if !answer.body.isEmpty {
            context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: answer.body)))), promise: nil)
        }
        let written = context.writeAndFlush(wrapOutboundOut(.end(nil)))
        if !keepAlive { written.assumeIsolated().whenComplete { _ in context.close(promise: nil) } }
    }
}
