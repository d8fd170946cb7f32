import Engines
import HTTP1
import NIOCore
import NIOPosix
import NIOSSL

/// A request of the gateway's own to an engine, beside those of clients: its metrics, what a prediction came to, the
/// files of a batch. Each has a connection of its own that is closed after it: engines may hold kept ones, and requests
/// must not wait behind them.
enum EngineCall {
    /// Where it goes, what it says and how long it may take.
    struct Question {
        let backend: Backend
        /// Another port than the backend's own, which then speaks in the clear.
        var port: Int?
        var method = "GET"
        /// With its query.
        let path: String
        var headers: [HeaderField] = []
        var body = ByteBuffer()
        /// From the question to the answer's end.
        var answerMilliseconds: Int64
        /// Whether that time begins anew with each part of the answer: for answers of any length.
        var isTimeBetweenParts = false
        /// The most that an answer may have where it is gathered.
        var answerBytesMax = 4 << 20
    }

    /// A whole answer, whatever its status.
    struct Answer {
        let head: ResponseHead
        let body: [UInt8]
    }

    /// What comes of an answer that is not gathered. After `end` or `lost` comes nothing more.
    enum Part {
        case head(ResponseHead)
        case body(ByteBuffer)
        case end
        /// There is no answer, or not all of it.
        case lost
    }

    /// Asks with GET and calls back once, on `eventLoop`: with the body of an answer of 200, or nil when there was
    /// none.
    static func get(
        _ question: Question, tls: NIOSSLContext?, on eventLoop: any EventLoop,
        whenAnswered: @escaping ([UInt8]?) -> Void
    ) {
        ask(question, tls: tls, on: eventLoop) { answer in
            whenAnswered(answer?.head.status == 200 ? answer?.body : nil)
        }
    }

    /// Asks and calls back once, on `eventLoop`: with the whole answer, or nil when there was none.
    @discardableResult static func ask(
        _ question: Question, tls: NIOSSLContext?, on eventLoop: any EventLoop,
        whenAnswered: @escaping (Answer?) -> Void
    ) -> RunningCall {
        var head: ResponseHead?
        var body: [UInt8] = []
        weak var running: RunningCall?
        let call = begin(question, tls: tls, on: eventLoop) { part in
            switch part {
            case .head(let answered): head = answered
            case .body(let bytes):
                body.append(contentsOf: bytes.readableBytesView)
                if body.count > question.answerBytesMax { running?.cut() }
            case .end: whenAnswered(head.map { Answer(head: $0, body: body) })
            case .lost: whenAnswered(nil)
            }
        }
        running = call
        return call
    }

    /// Asks and hands over the answer's parts as they come, on `eventLoop`, and never before it has returned.
    static func begin(
        _ question: Question, tls: NIOSSLContext?, on eventLoop: any EventLoop,
        whenReceived: @escaping (Part) -> Void
    ) -> RunningCall {
        let backend = question.backend
        let call = RunningCall(question, whenReceived: whenReceived)
        let bound = NIOLoopBound(call, eventLoop: eventLoop)
        guard backend.outOfService == nil else {
            eventLoop.execute { bound.value.finish(.lost) }
            return call
        }
        let isTLS = backend.isTLS && question.port == nil
        ClientBootstrap(group: eventLoop)
            .connectTimeout(.milliseconds(question.answerMilliseconds))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if isTLS, let tls { try pipeline.addHandler(UpstreamPool.tlsHandler(tls, host: backend.host)) }
                    try pipeline.addHandler(bound.value)
                }
            }
            .connect(host: backend.host, port: question.port ?? backend.port)
            .flatMap { $0.closeFuture }
            .whenComplete { _ in bound.value.finish(.lost) }
        return call
    }
}

/// One call that is on its way: sends the request and hands over what comes. Confined to its event loop.
final class RunningCall: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let question: EngineCall.Question
    private var whenReceived: ((EngineCall.Part) -> Void)?
    private var parser = ResponseParser()
    private var context: ChannelHandlerContext?
    private var since = NIODeadline.now()
    private var isReading = true
    private var isCut = false

    fileprivate init(_ question: EngineCall.Question, whenReceived: @escaping (EngineCall.Part) -> Void) {
        self.question = question
        self.whenReceived = whenReceived
    }

    /// Ends it; nothing is handed over any more but `lost`.
    func cut() {
        isCut = true
        context?.close(promise: nil)
    }

    /// Ends it, and hands over nothing at all.
    func abandon() {
        whenReceived = nil
        cut()
    }

    /// Stops or resumes reading, to make an engine as slow as whoever takes its answer.
    func setReading(_ reads: Bool) {
        guard reads != isReading, let channel = context?.channel else { return }
        isReading = reads
        since = .now()
        try? channel.syncOptions?.setOption(.autoRead, value: reads)
        if reads { channel.read() }
    }

    /// The last part. Later ones are left out.
    fileprivate func finish(_ part: EngineCall.Part) {
        guard let whenReceived else { return }
        self.whenReceived = nil
        whenReceived(part)
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelActive(context: ChannelHandlerContext) {
        guard !isCut else { return context.close(promise: nil) }
        parser.expect()
        watchTime(context)
        context.write(wrapOutboundOut(ByteBuffer(string: head)), promise: nil)
        if question.body.readableBytes > 0 { context.write(wrapOutboundOut(question.body), promise: nil) }
        context.flush()
    }

    private var head: String {
        let backend = question.backend
        let host = backend.host.contains(":") ? "[\(backend.host)]" : backend.host
        let hasBody = question.method != "GET" || question.body.readableBytes > 0
        let length = hasBody ? "content-length: \(question.body.readableBytes)\r\n" : ""
        let headers = question.headers.map { "\($0.name): \($0.value)\r\n" }.joined()
        return "\(question.method) \(question.path) HTTP/1.1\r\nhost: \(host):\(question.port ?? backend.port)\r\n"
            + "\(headers)\(length)accept-encoding: identity\r\nconnection: close\r\n\r\n"
    }

    private func watchTime(_ context: ChannelHandlerContext) {
        let end = since + .milliseconds(question.answerMilliseconds)
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        let task = context.eventLoop.scheduleTask(deadline: end) {
            let (call, context) = bound.value
            guard call.whenReceived != nil else { return }
            if !call.question.isTimeBetweenParts { return context.close(promise: nil) }
            if !call.isReading { call.since = .now() }
            let isOver = call.since + .milliseconds(call.question.answerMilliseconds) <= .now()
            if isOver { context.close(promise: nil) } else { call.watchTime(context) }
        }
        context.channel.closeFuture.whenComplete { _ in task.cancel() }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var piece = unwrapInboundIn(data)
        since = .now()
        do {
            while !isCut, whenReceived != nil, let (part, body) = try parser.next(in: &piece) {
                switch part {
                case .head(let head): whenReceived?(.head(head))
                case .body: if let body { whenReceived?(.body(body)) }
                case .end:
                    finish(.end)
                    context.close(promise: nil)
                }
            }
        } catch {
            context.close(promise: nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        if case .end? = try? parser.connectionClosed() { finish(isCut ? .lost : .end) }
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
