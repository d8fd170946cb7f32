import Glibc
import Synchronization

/// A blocking TCP socket, so that tests say byte for byte what is sent and when.
final class Socket: @unchecked Sendable {
    private let descriptor: Int32
    private var isClosed = false
    /// What was received and not yet taken.
    var received: [UInt8] = []

    init(descriptor: Int32) {
        self.descriptor = descriptor
        var on: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
    }

    deinit { close() }

    static func loopback(port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }

    static func connect(port: Int, receiveBufferBytes: Int32? = nil) throws -> Socket {
        let descriptor = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        if var bytes = receiveBufferBytes {
            setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &bytes, socklen_t(MemoryLayout<Int32>.size))
        }
        var address = loopback(port: port)
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else {
            Glibc.close(descriptor)
            throw SocketError(call: "connect", code: errno)
        }
        return Socket(descriptor: descriptor)
    }

    /// Sends everything; false when the other side is gone.
    @discardableResult
    func send(_ bytes: some Collection<UInt8>) -> Bool {
        var rest = Array(bytes)[...]
        while !rest.isEmpty {
            let sent = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard sent > 0 else { return false }
            rest.removeFirst(sent)
        }
        return true
    }

    @discardableResult
    func send(_ text: String) -> Bool { send(Array(text.utf8)) }

    /// Receives more into `received`; false at the end, on an error, or when nothing came for `milliseconds`.
    func receive(milliseconds: Int32 = 60_000, bytesMax: Int = 65_536) -> Bool {
        var descriptors = [pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)]
        guard poll(&descriptors, 1, milliseconds) > 0 else { return false }
        var buffer = [UInt8](repeating: 0, count: bytesMax)
        let count = Glibc.recv(descriptor, &buffer, bytesMax, 0)
        guard count > 0 else { return false }
        received.append(contentsOf: buffer[..<count])
        return true
    }

    /// Whether the other side closed within `milliseconds`; throws away what it sent.
    func isClosedByPeer(within milliseconds: Int32) -> Bool {
        let end = now() + Int64(milliseconds)
        while now() < end {
            var descriptors = [pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)]
            guard poll(&descriptors, 1, Int32(max(1, end - now()))) > 0 else { return false }
            var buffer = [UInt8](repeating: 0, count: 65_536)
            if Glibc.recv(descriptor, &buffer, buffer.count, 0) <= 0 { return true }
        }
        return false
    }

    func closeOutput() { shutdown(descriptor, Int32(SHUT_WR)) }

    func close() {
        guard !isClosed else { return }
        isClosed = true
        shutdown(descriptor, Int32(SHUT_RDWR))
        Glibc.close(descriptor)
    }

    /// Closes with a reset instead of an end.
    func reset() {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        guard !isClosed else { return }
        isClosed = true
        Glibc.close(descriptor)
    }
}

struct SocketError: Error {
    let call: String
    let code: Int32
}

/// Milliseconds of monotonic time.
func now() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
}

func pause(milliseconds: Int64) { usleep(useconds_t(milliseconds * 1000)) }

/// What engines wait for before they answer, so that a test decides what meets what.
final class Gate: Sendable {
    private let isOpen = Atomic<Bool>(false)

    func open() { isOpen.store(true, ordering: .releasing) }

    /// Returns once the gate is open, or after a minute, when the test has failed.
    func wait() {
        let end = now() + 60_000
        while !isOpen.load(ordering: .acquiring), now() < end { pause(milliseconds: 5) }
    }
}

/// Runs `body` on a thread of its own.
func onThread(_ body: @escaping @Sendable () -> Void) {
    final class Box {
        let body: @Sendable () -> Void; init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    var thread = pthread_t()
    pthread_create(
        &thread, nil,
        { raw in
            raw.map { Unmanaged<Box>.fromOpaque($0).takeRetainedValue() }?.body()
            return nil
        }, Unmanaged.passRetained(Box(body)).toOpaque())
    pthread_detach(thread)
}

/// A message of HTTP/1.1 as it was received.
struct HTTPMessage: Sendable {
    var startLine = ""
    var headers: [(name: String, value: String)] = []
    var body: [UInt8] = []
    /// The pieces that a chunked body came in.
    var chunks: [[UInt8]] = []
    /// Whether the body ended as its framing says it must.
    var isComplete = false

    var status: Int { Int(startLine.split(separator: " ").dropFirst().first ?? "") ?? 0 }
    var text: String { String(decoding: body, as: UTF8.self) }

    func header(_ name: String) -> String? {
        headers.first { $0.name.lowercased() == name }?.value
    }
}

extension Socket {
    /// Reads a head; nil when the connection ends first.
    func readHead(milliseconds: Int32 = 60_000) -> HTTPMessage? {
        while true {
            if let end = received.firstRange(of: Array("\r\n\r\n".utf8)) {
                let text = String(decoding: received[..<end.lowerBound], as: UTF8.self)
                received.removeSubrange(..<end.upperBound)
                var message = HTTPMessage()
                for (index, line) in text.split(separator: "\r\n", omittingEmptySubsequences: false).enumerated() {
                    if index == 0 {
                        message.startLine = String(line)
                    } else if let colon = line.firstIndex(of: ":") {
                        let value = line[line.index(after: colon)...].drop { $0 == " " }
                        message.headers.append((String(line[..<colon]), String(value)))
                    }
                }
                return message
            }
            guard receive(milliseconds: milliseconds) else { return nil }
        }
    }

    private func take(_ count: Int) -> [UInt8]? {
        while received.count < count { guard receive() else { return nil } }
        defer { received.removeFirst(count) }
        return Array(received[..<count])
    }

    private func takeLine() -> String? {
        while true {
            if let end = received.firstRange(of: [13, 10]) {
                defer { received.removeSubrange(..<end.upperBound) }
                return String(decoding: received[..<end.lowerBound], as: UTF8.self)
            }
            guard receive() else { return nil }
        }
    }

    /// Reads the next chunk; empty at the end, nil when the connection broke.
    func readChunk() -> [UInt8]? {
        guard let line = takeLine(), let count = Int(line, radix: 16), let bytes = take(count), takeLine() != nil else {
            return nil
        }
        return bytes
    }

    /// Reads a whole message.
    func readMessage(milliseconds: Int32 = 10_000, isHead: Bool = false) -> HTTPMessage? {
        guard var message = readHead(milliseconds: milliseconds) else { return nil }
        if isHead || message.status == 204 || message.status == 304 {
            message.isComplete = true
        } else if message.header("transfer-encoding") == "chunked" {
            while let chunk = readChunk() {
                if chunk.isEmpty {
                    message.isComplete = true
                    break
                }
                message.chunks.append(chunk)
                message.body += chunk
            }
        } else if let length = message.header("content-length").flatMap({ Int($0) }) {
            if let body = take(length) {
                message.body = body
                message.isComplete = true
            } else {
                message.body = received
            }
        } else if message.startLine.hasPrefix("HTTP/") {
            while receive() {}
            message.body = received
            received = []
            message.isComplete = true
        } else {
            message.isComplete = true
        }
        return message
    }
}
