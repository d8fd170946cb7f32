import NIOCore
import NIOHTTP1

/// What a generation writes: at once, or drop by drop when the settings say so. Lives on the connection's event loop.
final class GenerationWire {
    /// Bytes of a drop when the settings give no size.
    private static let dropBytesDefault = 64

    let keepAlive: Bool
    private let context: ChannelHandlerContext
    private let dropBytes: Int
    private let dropMilliseconds: Int

    private struct Drop {
        let part: HTTPServerResponsePart
        let whenSent: (Bool) -> Void
        let waits: Bool
    }

    private var lastWrite: EventLoopFuture<Void>?
    /// What still has to be written, when it is written drop by drop.
    private var waiting = CircularBuffer<Drop>()
    private var timer: Scheduled<Void>?
    private var idleWork: (() -> Void)?

    init(context: ChannelHandlerContext, keepAlive: Bool, behavior: Behavior) {
        self.context = context
        self.keepAlive = keepAlive
        dropMilliseconds = behavior.dripMilliseconds
        let pieces = behavior.splitBytes
        dropBytes = pieces > 0 ? pieces : dropMilliseconds > 0 ? Self.dropBytesDefault : .max
    }

    var isWritable: Bool { context.channel.isWritable }
    /// Nothing waits to be written.
    var isIdle: Bool { waiting.isEmpty }

    /// Does something once nothing waits to be written any more.
    func whenIdle(_ work: @escaping () -> Void) { idleWork = work }

    func head(_ head: HTTPResponseHead, flush: Bool = true) {
        add(.head(head), flush: flush, waits: false) { _ in }
    }

    /// Writes bytes; says when the system took the last of them.
    func send(_ bytes: [UInt8], flush: Bool = true, whenSent: @escaping () -> Void = {}) {
        guard !bytes.isEmpty else { return }
        var rest = ByteBuffer(bytes: bytes)
        while rest.readableBytes > dropBytes, let piece = rest.readSlice(length: dropBytes) {
            add(.body(.byteBuffer(piece)), flush: true, waits: true) { _ in }
        }
        add(.body(.byteBuffer(rest)), flush: flush, waits: true) { wasSent in
            if wasSent { whenSent() }
        }
    }

    /// Ends the answer properly and says whether that could be sent.
    func end(_ whenSent: @escaping (_ wasSent: Bool) -> Void) {
        add(.end(nil), flush: true, waits: false, whenSent: whenSent)
    }

    /// Does something once all that was written is on its way.
    func afterLastWrite(_ work: @escaping () -> Void) {
        guard isIdle else { return whenIdle { self.afterLastWrite(work) } }
        guard let lastWrite else { return work() }
        lastWrite.assumeIsolated().whenComplete { _ in work() }
    }

    func close() { context.close(promise: nil) }

    /// Writes nothing more.
    func stop() {
        timer?.cancel()
        waiting.removeAll()
        idleWork = nil
    }

    func schedule(at deadline: NIODeadline, _ work: @escaping () -> Void) -> Scheduled<Void> {
        context.eventLoop.assumeIsolated().scheduleTask(deadline: deadline, work)
    }

    private func add(
        _ part: HTTPServerResponsePart, flush: Bool, waits: Bool, whenSent: @escaping (Bool) -> Void
    ) {
        guard dropMilliseconds > 0 else { return write(part, flush: flush, whenSent: whenSent) }
        waiting.append(Drop(part: part, whenSent: whenSent, waits: waits))
        if waiting.count == 1 { drip() }
    }

    /// Writes what waits: what is body after a pause, the rest at once.
    private func drip() {
        guard let next = waiting.first else {
            let work = idleWork
            idleWork = nil
            work?()
            return
        }
        timer = schedule(at: .now() + .milliseconds(next.waits ? Int64(dropMilliseconds) : 0)) {
            guard let drop = self.waiting.popFirst() else { return }
            self.write(drop.part, flush: true, whenSent: drop.whenSent)
            self.drip()
        }
    }

    private func write(_ part: HTTPServerResponsePart, flush: Bool, whenSent: @escaping (Bool) -> Void) {
        let promise = context.eventLoop.makePromise(of: Void.self)
        lastWrite = promise.futureResult
        promise.futureResult.assumeIsolated().whenComplete { result in
            if case .success = result { whenSent(true) } else { whenSent(false) }
        }
        context.write(NIOAny(part), promise: promise)
        if flush { context.flush() }
    }
}

extension PreparedAnswer {
    /// Breaks or packs the body, as the settings say.
    mutating func spoil(_ behavior: Behavior) {
        let isObject = body.last == UInt8(ascii: "}") && body.count > 2
        if behavior.malformedAfterTokens != nil, isObject {
            body[body.count - 1] = UInt8(ascii: "]")
        } else if behavior.paddingBytes > 0, isObject {
            body.removeLast()
            body += Array((",\"obfuscation\":\"" + String(repeating: "x", count: behavior.paddingBytes) + "\"}").utf8)
        }
        guard behavior.compresses else { return }
        var gzip = GzipStream()
        body = gzip.write(body) + gzip.finish()
        headers["content-encoding"] = "gzip"
    }

    /// The answer's head.
    func head(keepAlive: Bool, chunked: Bool = false) -> HTTPResponseHead {
        var head = HTTPResponseHead(version: .http1_1, status: .init(statusCode: status))
        head.headers.add(name: "server", value: "engine-simulator")
        head.headers.add(name: "content-type", value: contentType)
        if chunked {
            head.headers.add(name: "transfer-encoding", value: "chunked")
        } else {
            head.headers.add(name: "content-length", value: String(body.count))
        }
        for (name, value) in headers.sorted(by: { $0.key < $1.key }) { head.headers.add(name: name, value: value) }
        if !keepAlive { head.headers.add(name: "connection", value: "close") }
        return head
    }
}

extension HTTPResponseHead {
    /// The head of a stream.
    static func stream(_ stream: StreamHead, behavior: Behavior, keepAlive: Bool) -> HTTPResponseHead {
        var head = HTTPResponseHead(version: .http1_1, status: .ok)
        head.headers.add(name: "server", value: "engine-simulator")
        head.headers.add(name: "content-type", value: stream.contentType)
        head.headers.add(name: "transfer-encoding", value: "chunked")
        for (name, value) in stream.headers { head.headers.add(name: name, value: value) }
        if behavior.compresses { head.headers.add(name: "content-encoding", value: "gzip") }
        if !keepAlive { head.headers.add(name: "connection", value: "close") }
        return head
    }
}
