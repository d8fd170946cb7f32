import Identity
import Metering
import Synchronization
import Testing
import UsageJournal

@testable import Engines
@testable import Gateway

@Suite(.timeLimit(.minutes(10))) struct BatchTests {
    private static let lines = ["a", "b", "c"].map { id in
        #"{"custom_id":"\#(id)","method":"POST","url":"/v1/chat/completions","body":{"model":"small","messages":"#
            + #"[{"role":"user","content":"SECRET-PROMPT"}]}}"#
    }
    private static let file = lines.joined(separator: "\n")

    /// `looks`: whether it looks for batches of others when it starts.
    private func gateway(
        _ service: BatchService, pollMilliseconds: Int64 = 600_000, looks: Bool = false
    ) async throws -> TestGateway {
        let snapshot = TestGateway.snapshot(
            port: service.engine.port, sealingSecret: Array("a secret of the installation".utf8))
        return try await TestGateway(engine: service.engine, snapshot: snapshot) { configuration in
            configuration.times.batchPollMilliseconds = pollMilliseconds
            if looks { configuration.times.batchFirstSweepMilliseconds = 100 }
        }
    }

    private func get(_ path: String, key: String = TestGateway.key, method: String = "GET") -> String {
        "\(method) \(path) HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer \(key)\r\ncontent-length: 0\r\n\r\n"
    }

    private func upload(
        _ content: String = file, purpose: String = "batch", key: String = TestGateway.key
    ) -> String {
        let body =
            "--xx\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\n\(purpose)\r\n"
            + "--xx\r\ncontent-disposition: form-data; name=\"file\"; filename=\"mine.jsonl\"\r\n\r\n"
            + "\(content)\r\n--xx--\r\n"
        return "POST /v1/files HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer \(key)\r\n"
            + "content-type: multipart/form-data; boundary=xx\r\ncontent-length: \(body.utf8.count)\r\n\r\n\(body)"
    }

    private func order(_ file: String, metadata: String = #"{"for":"a test"}"#) -> String {
        #"{"input_file_id":"\#(file)","endpoint":"/v1/chat/completions","completion_window":"24h","#
            + #""metadata":\#(metadata)}"#
    }

    private func object(_ message: HTTPMessage) throws -> JSONObjectText { try JSONObjectText(reading: message.body) }

    private func id(_ message: HTTPMessage) throws -> String { try #require(try object(message).text("id")) }

    /// Hands in a file and creates a batch of it.
    private func create(_ gateway: TestGateway) throws -> (file: String, batch: String) {
        let file = try id(try gateway.ask(upload()))
        let batch = try id(try gateway.ask(TestGateway.request(order(file), path: "/v1/batches")))
        return (file, batch)
    }

    // MARK: Files

    @Test func `a file goes on with the backend's name of the model and comes back with the client's`() async throws {
        let service = try BatchService()
        let gateway = try await gateway(service)
        let answer = try gateway.ask(upload())
        #expect(answer.status == 200)
        #expect(answer.header("x-tollgate-backend") == "scripted")
        let shown = try object(answer)
        #expect(shown.text("filename") == "mine.jsonl")
        #expect(shown.integer("bytes") == Int64(Self.file.utf8.count))
        let kept = service.state.withLock { $0.files[0] }
        #expect(String(decoding: kept.content, as: UTF8.self).contains(#""model":"engine-small""#))
        #expect(kept.name.hasSuffix(".mine.jsonl"))
        let id = try #require(shown.text("id"))
        #expect(id.hasPrefix("file-1-tg"))
        #expect(try gateway.ask(get("/v1/files/\(id)/content")).text == Self.file)
        let again = try object(try gateway.ask(get("/v1/files/\(id)")))
        #expect(again.text("id") == id)
        #expect(again.text("filename") == "mine.jsonl")
        let deleted = try gateway.ask(get("/v1/files/\(id)", method: "DELETE"))
        #expect(deleted.text == #"{"id":"\#(id)","object":"file","deleted":true}"#)
        #expect(try gateway.ask(get("/v1/files/\(id)")).status == 404)
        #expect(try gateway.closes.isEmpty)
        await gateway.stop()
    }

    /// Files that are refused, and by what name.
    private static let bad: [(content: String, parameter: String, code: String)] = {
        let first = lines[0]
        let foreign = first.replacing("small", with: "private")
        let streamed = first.replacing(#""body":{"#, with: #""body":{"stream":true,"#)
        let large = lines[1].replacing("small", with: "large")
        return [
            ("x", "file", "invalid_json"),
            ("", "file", "empty_file"),
            (first.replacing("/v1/chat", with: "/v1/nothing"), "url", "invalid_url"),
            (first.replacing("POST", with: "GET"), "method", "invalid_method"),
            (foreign, "model", "model_not_found"),
            (streamed, "body.stream", "invalid_stream"),
            ("\(first)\n\(first)", "custom_id", "duplicate_custom_id"),
            ("\(first)\n\(large)", "body.model", "mismatched_model"),
        ]
    }()

    @Test(arguments: bad)
    func `a file that could not be metered is refused with the line`(
        content: String, parameter: String, code: String
    ) async throws {
        let service = try BatchService()
        let gateway = try await gateway(service)
        let answer = try gateway.ask(upload(content))
        let error = try #require(try object(answer).object("error"))
        #expect(error.text("code") == code)
        #expect(error.text("param") == parameter)
        #expect(answer.status == (code == "model_not_found" ? 404 : 400))
        #expect(service.state.withLock { $0.files.isEmpty })
        let other = try gateway.ask(upload(purpose: "fine-tune"))
        #expect(try object(other).object("error")?.text("code") == "unsupported_purpose")
        await gateway.stop()
    }

    // MARK: Tenancy

    @Test func `another tenant's ids, and those of the upstream, mean nothing`() async throws {
        let service = try BatchService()
        let gateway = try await gateway(service)
        let (file, batch) = try create(gateway)
        let forged = "file-1-tg" + String(repeating: "0", count: 32)
        for path in ["/v1/files/\(file)", "/v1/files/\(file)/content", "/v1/batches/\(batch)"] {
            #expect(try gateway.ask(get(path)).status == 200)
            let foreign = try gateway.ask(get(path, key: TestGateway.otherKey))
            #expect(foreign.status == 404)
            #expect(foreign.text.contains(path.contains("batches") ? "No batch found" : "No such File object"))
        }
        for path in ["/v1/files/file-1", "/v1/files/\(forged)", "/v1/batches/batch_1", "/v1/batches/\(file)"] {
            #expect(try gateway.ask(get(path)).status == 404)
        }
        let cancelled = try gateway.ask(get("/v1/batches/\(batch)/cancel", key: TestGateway.otherKey, method: "POST"))
        #expect(cancelled.status == 404)
        let deleted = try gateway.ask(get("/v1/files/\(file)", key: TestGateway.otherKey, method: "DELETE"))
        #expect(deleted.status == 404)
        let stolen = try gateway.ask(
            TestGateway.request(order(file), path: "/v1/batches", key: TestGateway.otherKey))
        #expect(stolen.status == 404)
        #expect(service.state.withLock { $0.batches.count } == 1)
        await gateway.stop()
    }

    @Test func `listings have what is the project's own, over all pages of the upstream`() async throws {
        let service = try BatchService()
        service.state.withLock { $0.pageRows = 2 }
        let gateway = try await gateway(service)
        var own: [String] = []
        for number in 0..<6 {
            let key = number % 2 == 0 ? TestGateway.key : TestGateway.otherKey
            let file = try id(try gateway.ask(upload(key: key)))
            let created = try gateway.ask(TestGateway.request(order(file), path: "/v1/batches", key: key))
            if number % 2 == 0 { own.insert(try id(created), at: 0) }
        }
        let list = try object(try gateway.ask(get("/v1/batches?limit=2")))
        let rows = try #require(list.elements("data")).map { try JSONObjectText(reading: $0) }
        #expect(rows.compactMap { $0.text("id") } == Array(own.prefix(2)))
        #expect(list.value("has_more") == Array("true".utf8))
        #expect(list.text("last_id") == own[1])
        #expect(rows[0].object("metadata")?.keys == ["for"])
        let rest = try object(try gateway.ask(get("/v1/batches?after=\(own[1])")))
        #expect(rest.text("first_id") == own[2])
        #expect(rest.value("has_more") == Array("false".utf8))
        let files = try object(try gateway.ask(get("/v1/files")))
        #expect(files.elements("data")?.count == 3)
        #expect(try gateway.ask(get("/v1/batches?after=batch_1")).status == 404)
        await gateway.stop()
    }

    // MARK: Metering

    @Test func `each line is recorded once, however often the batch is looked at, and the batch itself last`()
        async throws
    {
        let service = try BatchService()
        let gateway = try await gateway(service)
        let (_, batch) = try create(gateway)
        let running = try object(try gateway.ask(get("/v1/batches/\(batch)")))
        #expect(running.text("status") == "in_progress")
        #expect(try gateway.closes.isEmpty)
        service.end(
            output: [BatchService.served("a"), BatchService.served("b", output: 5)],
            errors: [
                BatchService.failed("c")
            ])
        for _ in 0..<4 {
            let ended = try object(try gateway.ask(get("/v1/batches/\(batch)")))
            #expect(ended.text("status") == "completed")
            let output = try #require(ended.text("output_file_id"))
            #expect(try gateway.ask(get("/v1/files/\(output)/content")).text.contains("\"custom_id\":\"b\""))
        }
        #expect(try object(try gateway.ask(get("/v1/batches"))).elements("data")?.count == 1)
        let entries = try gateway.records(3)
        #expect(entries.count == 3)
        #expect(entries.map(\.attempts.count) == [1, 1, 0])
        let line = entries[1]
        let attempt = line.attempts[0]
        #expect(attempt.buckets.inputTotal == 11)
        #expect(attempt.buckets.outputTotal == 5)
        #expect(attempt.isBatch && attempt.kind == .batchItem && attempt.isDelivered)
        #expect(attempt.priceKey == "price-small" && attempt.upstreamModel == "engine-small")
        #expect(attempt.usageSource == .engine && attempt.usageComplete && attempt.termination == .complete)
        #expect(line.request.surface == .batches && line.request.modelRequested == "small")
        #expect(line.request.keyID == TestGateway.id(1) && line.request.tenantID == TestGateway.id(201))
        #expect(line.request.tags == [Tag(name: "batch_id", value: batch)])
        #expect(Set(entries.map(\.request.acceptedAt)).count == 1)
        // Twice by the settlement (output and errors), then by each of the client's looks.
        #expect(service.state.withLock { $0.contentCalls } == 6)
        await gateway.stop()
    }

    /// Answers without usage, as engines write them.
    @Test(arguments: [#""usage":null"#, #""usage":{}"#, ""]) func `a line without usage costs what was handed in`(
        usage: String
    ) async throws {
        let service = try BatchService()
        let gateway = try await gateway(service)
        let prompts = ["a": 400, "b": 4000, "c": 40]
        let lines = prompts.map { id, words in
            Self.lines[0].replacing(#""custom_id":"a""#, with: #""custom_id":"\#(id)""#)
                .replacing("SECRET-PROMPT", with: String(repeating: "word", count: words))
        }
        let file = try id(try gateway.ask(upload(lines.joined(separator: "\n"))))
        let batch = try id(try gateway.ask(TestGateway.request(order(file), path: "/v1/batches")))
        let silent = ["b", "c"].map { id in
            #"{"id":"r","custom_id":"\#(id)","response":{"status_code":200,"body":"#
                + Answers.plainBody(usage: usage) + "}}"
        }
        service.end(output: [BatchService.served("a")] + silent)
        // What a batch reads stays until it is on record.
        #expect(try gateway.ask(get("/v1/files/\(file)", method: "DELETE")).status == 409)
        _ = try gateway.ask(get("/v1/batches/\(batch)"))
        let entries = try gateway.records(4)
        #expect(entries.count == 4)
        let inputs = entries.compactMap(\.attempts.first).map(\.buckets.inputTotal)
        #expect(inputs[0] == 11 && inputs[1] >= 4000 && inputs[1] < 4100 && inputs[2] >= 40 && inputs[2] < 140)
        #expect(entries[1].attempts[0].usageSource == .estimated && !entries[1].attempts[0].usageComplete)
        #expect(try gateway.ask(get("/v1/files/\(file)", method: "DELETE")).status == 200)
        await gateway.stop()
    }

    @Test(arguments: [
        #"{"error":{"message":"out of memory","code":500},"usage":USAGE}"#,
        #"{"status":"failed","error":{"code":"server_error"},"output":[],"usage":USAGE}"#,
        #"{"choices":[{"finish_reason":"error","message":{"content":""}}],"usage":USAGE}"#,
    ])
    func `a line that failed costs what of an answer came with it`(body: String) async throws {
        let usage = #"{"prompt_tokens":11,"completion_tokens":3,"total_tokens":14}"#
        func line(_ id: String, _ body: String) -> String {
            #"{"id":"r","custom_id":"\#(id)","response":{"status_code":200,"body":"#
                + body.replacing("USAGE", with: usage) + "}}"
        }
        let service = try BatchService()
        let gateway = try await gateway(service)
        let (_, batch) = try create(gateway)
        let half = #"{"choices":[{"finish_reason":"error","message":{"content":"half"}}],"usage":USAGE}"#
        service.end(output: [line("a", body), line("b", half)])
        #expect(try object(try gateway.ask(get("/v1/batches/\(batch)"))).text("status") == "completed")
        // The line that came to something, and the batch itself.
        let entries = try gateway.records(2)
        #expect(entries.count == 2)
        #expect(entries[0].request.outcome == .providerError && entries[0].request.reason == "batch_line_failed")
        #expect(entries[0].attempts[0].buckets.inputTotal == 11 && entries[0].attempts[0].buckets.outputTotal == 3)
        #expect(entries[1].attempts.isEmpty)
        await gateway.stop()
    }

    @Test(
        arguments: [
            (#"{"error":{"message":"no JSON","failed_generation":"LONG"}}"#, 500),
            (#"{"error":{"message":"no JSON","code":"x","failed_generation":"LONG"},"usage":null}"#, 500),
            (#"{"message":"no","failed_generation":{"name":"f","arguments":"LONG"}}"#, 507),
            (#"{"error":{"failed_generation":"{\"name\":\"f\",\"arguments\":\"LONG\"}"}}"#, 507),
        ] as [(String, Int64)])
    func `what a refused line hands over of the model's text is billed`(body: String, output: Int64) async throws {
        let service = try BatchService()
        let gateway = try await gateway(service)
        let (_, batch) = try create(gateway)
        let body = body.replacing("LONG", with: String(repeating: "abcd ", count: 400))
        let refused = #"{"custom_id":"a","response":{"status_code":400,"body":\#(body)},"error":null}"#
        service.end(output: [BatchService.served("b")], errors: [refused, BatchService.failed("c")])
        _ = try gateway.ask(get("/v1/batches/\(batch)"))
        let records = try gateway.records(3)
        let line = try #require(records.first { $0.request.reason == "batch_line_failed" })
        #expect(line.attempts[0].buckets.outputTotal == output)
        #expect(line.attempts[0].buckets.inputTotal > 0 && line.attempts[0].usageSource == .estimated)
        await gateway.stop()
    }

    @Test func `nobody need ask: a gateway sees its batches to their end`() async throws {
        let service = try BatchService()
        let gateway = try await gateway(service, pollMilliseconds: 50)
        _ = try create(gateway)
        service.end(status: "expired", output: [BatchService.served("a")])
        let entries = try gateway.records(2)
        #expect(entries.count == 2)
        #expect(entries[1].request.reason == "batch_expired")
        await gateway.stop()
    }

    @Test func `two gateways, and one that starts after another's death, write the same records`() async throws {
        let service = try BatchService()
        let first = try await gateway(service)
        let (_, batch) = try create(first)
        service.end(output: [BatchService.served("a"), BatchService.served("b")])
        // Finds it by its own listing when it starts.
        let second = try await gateway(service, looks: true)
        let found = try second.records(3)
        #expect(try object(try first.ask(get("/v1/batches/\(batch)"))).text("status") == "completed")
        let own = try first.records(3)
        #expect(found.count == 3)
        #expect(own == found)
        await first.stop()
        await second.server.stop()
        second.journal.close()
    }

    @Test func `an end is not shown before its lines are on record`() async throws {
        let service = try BatchService()
        let gateway = try await gateway(service)
        let (_, batch) = try create(gateway)
        service.end(output: [BatchService.served("a")])
        service.state.withLock { $0.isContentDown = true }
        let held = try object(try gateway.ask(get("/v1/batches/\(batch)")))
        #expect(held.text("status") == "finalizing")
        #expect(held.text("output_file_id") == nil)
        #expect(held.value("completed_at") == Array("null".utf8))
        #expect(try gateway.closes.isEmpty)
        service.state.withLock { $0.isContentDown = false }
        let shown = try object(try gateway.ask(get("/v1/batches/\(batch)")))
        #expect(shown.text("status") == "completed")
        #expect(try gateway.closes.count == 2)
        await gateway.stop()
    }

    @Test func `a line that cannot be read waits in suspense`() async throws {
        let service = try BatchService()
        let gateway = try await gateway(service)
        let (_, batch) = try create(gateway)
        service.end(output: ["no line", BatchService.served("a")])
        #expect(try object(try gateway.ask(get("/v1/batches/\(batch)"))).text("status") == "completed")
        let entries = try gateway.records(3)
        #expect(entries.first?.attempts[0].contradiction?.contains("line 1 of the batch's file") == true)
        #expect(entries[1].attempts[0].contradiction == nil)
        await gateway.stop()
    }

    @Test func `a batch whose owner the engine does not keep is cancelled at once`() async throws {
        let service = try BatchService()
        service.state.withLock { $0.keepsMetadata = false }
        let gateway = try await gateway(service)
        let file = try id(try gateway.ask(upload()))
        let answer = try gateway.ask(TestGateway.request(order(file), path: "/v1/batches"))
        #expect(answer.status == 502)
        #expect(answer.text.contains("metadata_not_kept"))
        pause(milliseconds: 300)
        #expect(service.state.withLock { $0.batches.map(\.status) } == ["cancelled"])
        await gateway.stop()
    }

    @Test func `what a client may not order is refused before it is sent`() async throws {
        let service = try BatchService()
        let gateway = try await gateway(service)
        let file = try id(try gateway.ask(upload()))
        func code(_ body: String) throws -> String? {
            try object(try gateway.ask(TestGateway.request(body, path: "/v1/batches"))).object("error")?.text("code")
        }
        #expect(try code("{}") == "missing_required_parameter")
        #expect(try code(order(file, metadata: #"{"tollgate":"x"}"#)) == "reserved_metadata")
        #expect(try code(order(file, metadata: "3")) == "invalid_type")
        #expect(try code(order(file).replacing("chat/completions", with: "embeddings")) == "mismatched_endpoint")
        #expect(try code(order(file).replacing("/v1/chat/completions", with: "/v1/x")) == "invalid_endpoint")
        #expect(service.state.withLock { $0.batches.isEmpty })
        await gateway.stop()
    }

    @Test func `an upstream that is away is said to be so, and asked again`() async throws {
        let service = try BatchService()
        let gateway = try await gateway(service)
        let (_, batch) = try create(gateway)
        service.state.withLock { $0.isDown = true }
        let answer = try gateway.ask(get("/v1/batches/\(batch)"))
        #expect(answer.status == 502)
        service.state.withLock { $0.isDown = false }
        service.end(output: [BatchService.served("a")])
        #expect(try object(try gateway.ask(get("/v1/batches/\(batch)"))).text("status") == "completed")
        await gateway.stop()
    }
}
