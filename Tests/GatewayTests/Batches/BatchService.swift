import Synchronization
import Testing

@testable import Engines

/// An upstream that keeps files and works through batches when a test says so, as OpenAI's does, in the one account
/// that all tenants share.
final class BatchService: Sendable {
    struct File {
        let id: String
        let name: String
        var content: [UInt8]
    }

    struct Batch {
        let id: String
        /// As it was asked for.
        let order: JSONObjectText
        var status = "in_progress"
        var output: String?
        var errors: String?
        /// Further members of its document, with a comma in front.
        var further = ""
    }

    struct State {
        var files: [File] = []
        var batches: [Batch] = []
        /// Whether it answers at all.
        var isDown = false
        var isContentDown = false
        /// Whether batches keep their metadata.
        var keepsMetadata = true
        /// Rows of a page.
        var pageRows = 100
        var contentCalls = 0
    }

    let state = Mutex(State())
    let engine: ScriptedEngine

    init() throws {
        engine = try ScriptedEngine()
        engine.setScript { [weak self] socket, request in
            guard let self else { return }
            let (status, body) = self.state.withLock { Self.answer(request, &$0) }
            guard status != 0 else { return socket.close() }
            socket.send(Answers.plain(status: "\(status) X", body: body))
        }
    }

    /// Serves a batch: these lines are its output and error files.
    func end(
        _ batch: Int = 0, status: String = "completed", output: [String], errors: [String] = [], further: String = ""
    ) {
        state.withLock { state in
            func keep(_ lines: [String], _ name: String) -> String? {
                guard !lines.isEmpty else { return nil }
                let id = "file-\(state.files.count + 1)"
                let content = Array((lines.joined(separator: "\n") + "\n").utf8)
                state.files.append(File(id: id, name: name, content: content))
                return id
            }
            state.batches[batch].output = keep(output, "output.jsonl")
            state.batches[batch].errors = keep(errors, "errors.jsonl")
            state.batches[batch].status = status
            state.batches[batch].further = further
        }
    }

    /// A line of an output file.
    static func served(_ id: String, status: Int = 200, input: Int = 11, output: Int = 3) -> String {
        let usage =
            #""usage":{"prompt_tokens":\#(input),"completion_tokens":\#(output),"total_tokens":\#(input + output)}"#
        return #"{"id":"r-\#(id)","custom_id":"\#(id)","response":{"status_code":\#(status),"request_id":"q","body":"#
            + Answers.plainBody(usage: usage) + #"},"error":null}"#
    }

    static func failed(_ id: String) -> String {
        #"{"id":"r-\#(id)","custom_id":"\#(id)","response":{"status_code":400,"request_id":"q","body":"#
            + #"{"error":{"message":"no"}}},"error":null}"#
    }

    // MARK: Answering

    private static func answer(_ request: HTTPMessage, _ state: inout State) -> (Int, String) {
        guard !state.isDown else { return (0, "") }
        let parts = request.startLine.split(separator: " ")
        let target = parts[1].split(separator: "?", maxSplits: 1)
        let query = target.count > 1 ? String(target[1]) : ""
        let path = target[0].split(separator: "/").dropFirst(2).map(String.init)
        let isGet = parts[0] == "GET"
        switch (path.first, path.count) {
        case ("files", 1):
            return isGet ? page(state.files.map { ($0.id, json($0)) }, query, state) : upload(request, &state)
        case ("files", _):
            guard let index = state.files.firstIndex(where: { $0.id == path[1] }) else { return missing }
            if path.count == 3 {
                guard !state.isContentDown else { return (500, "{}") }
                state.contentCalls += 1
                return (200, String(decoding: state.files[index].content, as: UTF8.self))
            }
            if isGet { return (200, json(state.files[index])) }
            let removed = state.files.remove(at: index)
            return (200, #"{"id":"\#(removed.id)","object":"file","deleted":true}"#)
        case ("batches", 1):
            guard !isGet else {
                return page(state.batches.reversed().map { ($0.id, json($0, state)) }, query, state)
            }
            guard let order = try? JSONObjectText(reading: request.body) else { return (400, "{}") }
            let batch = Batch(id: "batch_\(state.batches.count + 1)", order: order)
            state.batches.append(batch)
            return (200, json(batch, state))
        case ("batches", _):
            guard let index = state.batches.firstIndex(where: { $0.id == path[1] }) else { return missing }
            if path.count == 3 { state.batches[index].status = "cancelled" }
            return (200, json(state.batches[index], state))
        default: return missing
        }
    }

    private static let missing = (404, #"{"error":{"message":"upstream says: none","code":null}}"#)

    private static func upload(_ request: HTTPMessage, _ state: inout State) -> (Int, String) {
        let type = request.header("content-type") ?? ""
        let parts = request.body.withUnsafeBytes { (try? FormPart.all(in: $0, contentType: type)) ?? [] }
        guard let part = parts.first(where: { $0.isFile }) else { return (400, "{}") }
        let file = File(
            id: "file-\(state.files.count + 1)", name: part.fileName ?? "", content: Array(request.body[part.value]))
        state.files.append(file)
        return (200, json(file))
    }

    private static func page(_ rows: [(id: String, json: String)], _ query: String, _ state: State) -> (Int, String) {
        let after = query.split(separator: "&").first { $0.hasPrefix("after=") }?.dropFirst(6)
        var rest = rows[...]
        if let after { rest = rows.drop { $0.id != after }.dropFirst() }
        let page = rest.prefix(state.pageRows)
        let data = page.map(\.json).joined(separator: ",")
        return (200, #"{"object":"list","data":[\#(data)],"has_more":\#(page.count < rest.count)}"#)
    }

    private static func json(_ file: File) -> String {
        #"{"id":"\#(file.id)","object":"file","bytes":\#(file.content.count),"filename":"\#(file.name)","#
            + #""purpose":"batch"}"#
    }

    private static func json(_ batch: Batch, _ state: State) -> String {
        func text(_ bytes: [UInt8]?) -> String { bytes.map { String(decoding: $0, as: UTF8.self) } ?? "null" }
        func id(_ id: String?) -> String { id.map { "\"\($0)\"" } ?? "null" }
        let metadata = state.keepsMetadata ? text(batch.order.value("metadata")) : "null"
        return #"{"id":"\#(batch.id)","object":"batch","endpoint":\#(text(batch.order.value("endpoint"))),"#
            + #""input_file_id":\#(text(batch.order.value("input_file_id"))),"status":"\#(batch.status)","#
            + #""output_file_id":\#(id(batch.output)),"error_file_id":\#(id(batch.errors)),"created_at":4102444800,"#
            + #""completed_at":1,"metadata":\#(metadata)\#(batch.further)}"#
    }
}
