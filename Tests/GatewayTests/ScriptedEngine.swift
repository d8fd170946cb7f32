import Glibc
import Synchronization

/// An engine that does exactly what a test says, on real sockets.
final class ScriptedEngine: Sendable {
    typealias Script = @Sendable (Socket, HTTPMessage) -> Void

    let port: Int
    private let listener: Int32
    private let state: Mutex<State>

    private struct State {
        var script: Script
        var isListening = true
        var requests: [HTTPMessage] = []
        var connectionCount = 0
    }

    init(_ script: @escaping Script = { socket, _ in socket.send(Answers.plain()) }) throws {
        state = Mutex(State(script: script))
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = Socket.loopback(port: 0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = listener
        let port = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                guard bind(descriptor, address, length) == 0, listen(descriptor, 256) == 0,
                    getsockname(descriptor, address, &length) == 0
                else { return 0 }
                return Int(UnsafeRawPointer(address).load(as: sockaddr_in.self).sin_port.bigEndian)
            }
        }
        guard port != 0 else { throw SocketError(call: "listen", code: errno) }
        self.port = port
        onThread { self.accept() }
    }

    /// Ends the listening, once: the number of a descriptor that was closed may be another test's socket by then.
    func close() {
        state.withLock { state in
            if state.isListening { shutdown(listener, Int32(SHUT_RDWR)) }
            state.isListening = false
        }
    }

    var requests: [HTTPMessage] { state.withLock { $0.requests } }
    var connectionCount: Int { state.withLock { $0.connectionCount } }

    func setScript(_ script: @escaping Script) { state.withLock { $0.script = script } }

    private func accept() {
        while true {
            let descriptor = Glibc.accept(listener, nil, nil)
            guard descriptor >= 0 else { break }
            state.withLock { $0.connectionCount += 1 }
            let socket = Socket(descriptor: descriptor)
            onThread { [weak self] in
                while let request = socket.readMessage(milliseconds: 60_000) {
                    guard let self else { break }
                    let script = self.state.withLock { state in
                        state.requests.append(request)
                        return state.script
                    }
                    script(socket, request)
                }
                socket.close()
            }
        }
        state.withLock { state in
            state.isListening = false
            Glibc.close(listener)
        }
    }
}

/// Answers of the OpenAI family, for scripts.
enum Answers {
    static let usage =
        #""usage":{"prompt_tokens":11,"completion_tokens":3,"total_tokens":14,"#
        + #""prompt_tokens_details":{"cached_tokens":4},"#
        + #""completion_tokens_details":{"reasoning_tokens":1}}"#

    static func plainBody(usage: String = Answers.usage) -> String {
        #"{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"engine-model","service_tier":"default","#
            + #""choices":[{"index":0,"message":{"role":"assistant","content":"SECRET-ANSWER one two"},"#
            + #""finish_reason":"stop"}]"# + (usage.isEmpty ? "" : ",") + usage + "}"
    }

    static func plain(status: String = "200 OK", body: String = plainBody(), headers: String = "") -> String {
        "HTTP/1.1 \(status)\r\ncontent-type: application/json\r\n\(headers)"
            + "content-length: \(body.utf8.count)\r\n\r\n\(body)"
    }

    static let streamHead =
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"

    static func chunk(_ text: String) -> String { "\(String(text.utf8.count, radix: 16))\r\n\(text)\r\n" }

    static func event(delta: String, finish: String? = nil) -> String {
        let reason = finish.map { "\"\($0)\"" } ?? "null"
        return
            #"data: {"id":"chatcmpl-2","object":"chat.completion.chunk","model":"engine-model","choices":[{"index":0,"#
            + #""delta":\#(delta),"finish_reason":\#(reason)}]}"# + "\n\n"
    }

    static let usageEvent =
        #"data: {"id":"chatcmpl-2","object":"chat.completion.chunk","model":"engine-model","choices":[],\#(usage)}"#
        + "\n\n"

    /// A stream of `tokens` content events: role, content, finish reason, usage, terminator.
    static func streamEvents(tokens: Int = 3, usage: String? = usageEvent) -> [String] {
        var events = [event(delta: #"{"role":"assistant","content":""}"#)]
        for index in 0..<tokens { events.append(event(delta: #"{"content":"SECRET-ANSWER\#(index)"}"#)) }
        events.append(event(delta: "{}", finish: "stop"))
        if let usage { events.append(usage) }
        events.append("data: [DONE]\n\n")
        return events
    }

    static func stream(_ events: [String] = streamEvents()) -> String {
        streamHead + events.map(chunk).joined() + "0\r\n\r\n"
    }
}
