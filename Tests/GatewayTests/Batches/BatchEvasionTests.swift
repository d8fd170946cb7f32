import Identity
import Metering
import Synchronization
import Testing
import UsageJournal

@testable import Engines
@testable import Gateway

/// Batches whose answers somebody would have unmetered.
@Suite(.timeLimit(.minutes(10))) struct BatchEvasionTests {
    private static func line(_ id: String, prompt: String = "hi") -> String {
        #"{"custom_id":"\#(id)","method":"POST","url":"/v1/chat/completions","body":{"model":"small","messages":"#
            + #"[{"role":"user","content":"\#(prompt)"}]}}"#
    }

    private func gateway(_ service: BatchService) async throws -> TestGateway {
        let snapshot = TestGateway.snapshot(port: service.engine.port, sealingSecret: Array("a secret".utf8))
        return try await TestGateway(engine: service.engine, snapshot: snapshot) { configuration in
            configuration.times.batchPollMilliseconds = 600_000
        }
    }

    private func send(_ method: String, _ path: String, _ gateway: TestGateway) throws -> HTTPMessage {
        let headers = "host: g\r\nauthorization: Bearer \(TestGateway.key)\r\ncontent-length: 0"
        return try gateway.ask("\(method) \(path) HTTP/1.1\r\n\(headers)\r\n\r\n")
    }

    private func upload(_ content: String, fields: String = "", to gateway: TestGateway) throws -> HTTPMessage {
        let body =
            "--xx\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n\(fields)"
            + "--xx\r\ncontent-disposition: form-data; name=\"file\"; filename=\"mine.jsonl\"\r\n\r\n"
            + "\(content)\r\n--xx--\r\n"
        return try gateway.ask(
            "POST /v1/files HTTP/1.1\r\nhost: g\r\nauthorization: Bearer \(TestGateway.key)\r\n"
                + "content-type: multipart/form-data; boundary=xx\r\ncontent-length: \(body.utf8.count)\r\n\r\n\(body)")
    }

    private func object(_ message: HTTPMessage) throws -> JSONObjectText { try JSONObjectText(reading: message.body) }

    private func id(_ message: HTTPMessage) throws -> String { try #require(try object(message).text("id")) }

    private func order(_ file: String, _ further: String = "") -> String {
        #"{"input_file_id":"\#(file)","endpoint":"/v1/chat/completions","completion_window":"24h"\#(further)}"#
    }

    /// Hands in a file and creates a batch of it.
    private func create(_ gateway: TestGateway, lines: [String] = [line("a"), line("b")]) throws -> String {
        let file = try id(try upload(lines.joined(separator: "\n"), to: gateway))
        return try id(try gateway.ask(TestGateway.request(order(file), path: "/v1/batches")))
    }

    // MARK: Files before their end

    @Test(arguments: ["finalizing", "in_progress", "cancelling", "IN_PROGRESS", "Running", "canceling", "validating"])
    func `answers of a batch that runs are nobody's, wherever its document names them`(status: String) async throws {
        let service = try BatchService()
        let gateway = try await gateway(service)
        let batch = try create(gateway)
        service.end(
            status: status, output: [BatchService.served("a")], errors: [BatchService.failed("b")],
            further: #","output_file":"file-2","error_file_ids":["file-3"],"output_blob":"https://x/y","user_id":"u1""#)
        let shown = try send("GET", "/v1/batches/\(batch)", gateway)
        #expect(try object(shown).text("status") == status)
        for word in ["file-2", "file-3", "blob", "u1"] { #expect(!shown.text.contains(word)) }
        let listed = try send("GET", "/v1/batches", gateway)
        #expect(listed.text.contains(batch) && !listed.text.contains("file-2"))
        #expect(try gateway.closes.isEmpty)
        await gateway.stop()
    }

    @Test(arguments: [
        "COMPLETED", "ended", "succeeded", "Canceled", "SUCCESS", "closed", "all_done", "TIMEOUT_EXCEEDED",
    ])
    func `a batch has ended by whatever word, and its answers are shown when they are on record`(
        status: String
    ) async throws {
        let service = try BatchService()
        let gateway = try await gateway(service)
        let batch = try create(gateway)
        service.end(status: status, output: [BatchService.served("a", output: 500)])
        let shown = try object(try send("GET", "/v1/batches/\(batch)", gateway))
        #expect(shown.text("status") == status)
        let output = try #require(shown.text("output_file_id"))
        #expect(try gateway.closes.flatMap(\.attempts).map(\.buckets.outputTotal) == [500])
        #expect(try send("GET", "/v1/files/\(output)/content", gateway).status == 200)
        #expect(try send("DELETE", "/v1/files/\(output)", gateway).status == 200)
        await gateway.stop()
    }

    @Test func `a word that nobody knows is no end while lines are left`() async throws {
        let service = try BatchService()
        let gateway = try await gateway(service)
        let batch = try create(gateway)
        let counts = #","request_counts":{"total":2,"completed":1,"failed":0}"#
        service.end(status: "merging", output: [BatchService.served("a")], further: counts)
        #expect(try object(try send("GET", "/v1/batches/\(batch)", gateway)).text("output_file_id") == nil)
        #expect(try gateway.closes.isEmpty)
        await gateway.stop()
    }

    // MARK: Lines that are missing

    private static func counts(_ completed: Int, _ failed: Int = 0) -> String {
        #","request_counts":{"total":\#(completed + failed),"completed":\#(completed),"failed":\#(failed)}"#
    }

    @Test(arguments: [
        (counts(5), [] as [String], [] as [String]), (counts(3), [BatchService.served("a")], []),
        (counts(2, 1), [BatchService.served("a")], [BatchService.failed("b")]),
        (counts(2), [BatchService.served("a"), BatchService.served("a")], []),
        ("", [], []), (#","request_counts":{"total":0,"completed":0,"failed":0}"#, [], []),
        (#","request_counts":{"succeeded":2}"#, [BatchService.served("b")], []),
    ])
    func `lines that the engine served and no file has wait in suspense`(
        further: String, output: [String], errors: [String]
    ) async throws {
        let service = try BatchService()
        let gateway = try await gateway(service)
        let batch = try create(gateway)
        service.end(output: output, errors: errors, further: further)
        #expect(try object(try send("GET", "/v1/batches/\(batch)", gateway)).text("status") == "completed")
        let contradictions = try gateway.closes.flatMap(\.attempts).compactMap(\.contradiction)
        #expect(contradictions.count == 1)
        await gateway.stop()
    }

    @Test(arguments: [
        (counts(2), [BatchService.served("a"), BatchService.served("b")], [] as [String], "completed"),
        (counts(1, 1), [BatchService.served("a")], [BatchService.failed("b")], "completed"),
        (counts(0, 2), [], [BatchService.failed("a"), BatchService.failed("b")], "completed"),
        // Failures counted among what was worked through, or among the answers.
        (counts(2), [BatchService.served("a"), BatchService.failed("b")], [], "completed"),
        ("", [BatchService.served("a")], [], "completed"), (counts(1, 0), [BatchService.served("a")], [], "expired"),
        ("", [], [], "failed"), ("", [], [], "cancelled"),
    ])
    func `a batch whose lines are all there is no suspense`(
        further: String, output: [String], errors: [String], status: String
    ) async throws {
        let service = try BatchService()
        let gateway = try await gateway(service)
        let batch = try create(gateway)
        service.end(status: status, output: output, errors: errors, further: further)
        #expect(try object(try send("GET", "/v1/batches/\(batch)", gateway)).text("status") == status)
        #expect(try gateway.closes.flatMap(\.attempts).allSatisfy { $0.contradiction == nil })
        #expect(try gateway.closes.last?.attempts.isEmpty == true)
        await gateway.stop()
    }

    @Test(arguments: [counts(1), "", counts(4)]) func `a file of answers that is gone waits in suspense`(
        further: String
    ) async throws {
        let service = try BatchService()
        let gateway = try await gateway(service)
        let batch = try create(gateway)
        service.end(output: [BatchService.served("a")], further: further)
        service.state.withLock { state in state.files.removeAll { $0.name == "output.jsonl" } }
        _ = try send("GET", "/v1/batches/\(batch)", gateway)
        #expect(try gateway.closes.flatMap(\.attempts).compactMap(\.contradiction).count == 1)
        await gateway.stop()
    }

    @Test func `answers are read from whatever files a batch names`() async throws {
        let service = try BatchService()
        let gateway = try await gateway(service)
        let batch = try create(gateway)
        service.end(output: [BatchService.served("a", output: 7)], errors: [BatchService.served("b", output: 9)])
        service.state.withLock { state in
            state.batches[0].output = nil
            state.batches[0].errors = nil
            state.batches[0].further = #","output_file_ids":["file-2"],"output_file":"file-3""# + Self.counts(2)
        }
        let shown = try object(try send("GET", "/v1/batches/\(batch)", gateway))
        #expect(try gateway.closes.flatMap(\.attempts).map(\.buckets.outputTotal).sorted() == [7, 9])
        #expect(shown.text("output_file")?.hasPrefix("file-3-tg") == true)
        #expect(shown.texts("output_file_ids").first?.hasPrefix("file-2-tg") == true)
        await gateway.stop()
    }

    // MARK: Lines in other shapes

    private static let usage = #""usage":{"prompt_tokens":1000,"completion_tokens":500,"total_tokens":1500}"#
    private static let choices = #""choices":[{"index":0,"message":{"content":"hello"}}]"#

    @Test(arguments: [
        #"{"custom_id":"a","output":{\#(choices),\#(usage)}}"#,
        #"{"custom_id":"a","result":{"type":"succeeded","message":{"content":[{"type":"text","text":"hello"}]}}}"#,
        #"{"custom_id":"a","response":"{\"choices\":[]}"}"#,
        #"{"custom_id":"a","response":{"status_code":200,"body":{"result":{\#(choices),\#(usage)}}}}"#,
        #"{"custom_id":"a","response":{"status_code":200,"body":{"output":{"text":"hello"}}}}"#,
        #"{"custom_id":"a","response":null,"error":null}"#, #"{"custom_id":"a"}"#,
        #"{"custom_id":"a","response":{"status_code":200,"body":{"data":{"answer":"hello"}}}}"#,
        #"{"custom_id":"a","response":["x"],"error":null}"#, #"{"custom_id":"a","answer":"hello","model":"m"}"#,
    ])
    func `an answer in a shape that nobody knows waits in suspense`(line: String) async throws {
        let service = try BatchService()
        let gateway = try await gateway(service)
        let batch = try create(gateway)
        service.end(output: [line], further: Self.counts(1))
        _ = try send("GET", "/v1/batches/\(batch)", gateway)
        let attempts = try gateway.closes.flatMap(\.attempts)
        #expect(attempts.count == 1 && attempts[0].contradiction?.contains("line 1") == true)
        await gateway.stop()
    }

    @Test(arguments: [
        #"{"custom_id":"a","body":{\#(choices),\#(usage)}}"#, #"{"custom_id":"a",\#(choices),\#(usage)}"#,
        #"{"custom_id":"a","status_code":200,"body":{\#(choices),\#(usage)},"error":null}"#,
        #"{"custom_id":"a","response":{\#(choices),\#(usage)},"error":null}"#,
    ])
    func `an answer is read in the shapes that are known`(line: String) async throws {
        let service = try BatchService()
        let gateway = try await gateway(service)
        let batch = try create(gateway)
        service.end(output: [line], further: Self.counts(1))
        _ = try send("GET", "/v1/batches/\(batch)", gateway)
        let attempts = try gateway.closes.flatMap(\.attempts)
        #expect(attempts.map(\.buckets.outputTotal) == [500] && attempts[0].contradiction == nil)
        await gateway.stop()
    }

    @Test func `an answer without usage whose request is gone waits in suspense`() async throws {
        let service = try BatchService()
        let gateway = try await gateway(service)
        let batch = try create(gateway)
        let silent =
            #"{"custom_id":"a","response":{"status_code":200,"body":"# + Answers.plainBody(usage: #""usage":null"#)
            + "}}"
        service.end(output: [silent])
        service.state.withLock { state in state.files.removeAll { $0.name.hasSuffix("mine.jsonl") } }
        _ = try send("GET", "/v1/batches/\(batch)", gateway)
        let attempts = try gateway.closes.flatMap(\.attempts)
        #expect(attempts.count == 1 && attempts[0].contradiction != nil && attempts[0].buckets.outputTotal > 0)
        await gateway.stop()
    }

    // MARK: Creation

    @Test(arguments: [
        #""output_folder":{"url":"https://mine.blob.core.windows.net/c"}"#, #""input_blob":"https://mine/in.jsonl""#,
        #""webhook":"https://mine""#, #""output_expires_after":{"anchor":"created_at","seconds":1}"#,
        #""output_expires_after":7200"#, #""output_expires_after":{"anchor":"created_at"}"#, #""priority":9"#,
        #""model":"large""#, #""service_tier":"flex""#, #""Output_folder":{}"#, #""METADATA":{}"#, #""requests":[]"#,
        #""output_expires_after":{"seconds":9000,"seconds":1}"#,
    ])
    func `members of a creation that nobody looks at are refused before anything is made`(
        member: String
    ) async throws {
        let service = try BatchService()
        let gateway = try await gateway(service)
        let file = try id(try upload(Self.line("a"), to: gateway))
        let answer = try gateway.ask(TestGateway.request(order(file, "," + member), path: "/v1/batches"))
        #expect(answer.status == 400)
        #expect(service.state.withLock { $0.batches.isEmpty })
        await gateway.stop()
    }

    @Test(arguments: [
        "", #","output_expires_after":{"anchor":"created_at","seconds":86400}"#, #","metadata":{"a":"b"}"#,
        #","output_folder":null,"model":null,"metadata":null"#,
    ])
    func `what OpenAI documents is passed on, and null is as good as left out`(further: String) async throws {
        let service = try BatchService()
        let gateway = try await gateway(service)
        let file = try id(try upload(Self.line("a"), to: gateway))
        #expect(try gateway.ask(TestGateway.request(order(file, further), path: "/v1/batches")).status == 200)
        let sent = try #require(service.state.withLock { $0.batches.first?.order })
        #expect(
            Set(sent.keys).isSubset(of: [
                "input_file_id", "endpoint", "completion_window", "metadata", "output_expires_after",
            ]))
        #expect((sent.value("output_expires_after") != nil) == further.contains("expires"))
        await gateway.stop()
    }

    @Test(arguments: ["1", "0", "-5", "soon", ""]) func `a file that would go before it is read is not taken`(
        seconds: String
    ) async throws {
        let service = try BatchService()
        let gateway = try await gateway(service)
        func fields(_ seconds: String) -> String {
            "--xx\r\ncontent-disposition: form-data; name=\"expires_after[anchor]\"\r\n\r\ncreated_at\r\n"
                + "--xx\r\ncontent-disposition: form-data; name=\"expires_after[seconds]\"\r\n\r\n\(seconds)\r\n"
        }
        #expect(try upload(Self.line("a"), fields: fields(seconds), to: gateway).status == 400)
        #expect(try upload(Self.line("a"), fields: fields("3600"), to: gateway).status == 200)
        await gateway.stop()
    }

    // MARK: Retries

    private func ask(_ body: String, key: String, _ gateway: TestGateway) throws -> HTTPMessage {
        try gateway.ask(
            "POST /v1/batches HTTP/1.1\r\nhost: g\r\nauthorization: Bearer \(TestGateway.key)\r\n"
                + "content-type: application/json\r\nidempotency-key: \(key)\r\n"
                + "content-length: \(body.utf8.count)\r\n\r\n\(body)")
    }

    @Test func `a creation that is sent again with its key makes no second batch`() async throws {
        let service = try BatchService()
        let gateway = try await gateway(service)
        let file = try id(try upload(Self.line("a"), to: gateway))
        let first = try ask(order(file), key: "k1", gateway)
        #expect(first.status == 200)
        for _ in 0..<2 {
            let again = try ask(order(file), key: "k1", gateway)
            #expect(again.status == 409 && again.text.contains("idempotency_key_used"))
            #expect(again.header("x-tollgate-first-request-id") == first.header("x-request-id"))
        }
        #expect(try ask(order(file, #","metadata":{"a":"b"}"#), key: "k1", gateway).status == 422)
        #expect(try ask(order(file), key: String(repeating: "k", count: 300), gateway).status == 400)
        #expect(service.state.withLock { $0.batches.count } == 1)
        #expect(try ask(order(file), key: "k2", gateway).status == 200)
        #expect(service.state.withLock { $0.batches.count } == 2)
        await gateway.stop()
    }

    @Test func `a key is free again where its creation made nothing`() async throws {
        let service = try BatchService()
        let gateway = try await gateway(service)
        let file = try id(try upload(Self.line("a"), to: gateway))
        #expect(try ask(order(file, #","webhook":"https://mine""#), key: "k", gateway).status == 400)
        #expect(try ask(order("file-9-tg00"), key: "k", gateway).status == 404)
        service.state.withLock { $0.keepsMetadata = false }
        #expect(try ask(order(file), key: "k", gateway).status == 502)
        service.state.withLock { $0.keepsMetadata = true }
        #expect(try ask(order(file), key: "k", gateway).status == 200)
        await gateway.stop()
    }
}
