import EngineSimulator
import Testing

@Suite(.timeLimit(.minutes(10)))
struct BatchTests {
    private func upload(_ simulator: RunningSimulator, _ lines: [String]) async throws -> String {
        var body = "--cut\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n"
        body += "--cut\r\nContent-Disposition: form-data; name=\"file\"; filename=\"in.jsonl\"\r\n\r\n"
        body += lines.joined(separator: "\n") + "\n\r\n--cut--\r\n"
        let answer = try await RawClient.post(
            simulator.port, "/v1/files", body, headers: ["content-type": "multipart/form-data; boundary=cut"])
        let json = try answer.json()
        #expect(json["purpose"].string == "batch")
        return try #require(json["id"].string)
    }

    private func line(_ number: Int, _ prompt: String = "say two words", url: String = "/v1/chat/completions") -> String
    {
        #"{"custom_id":"c\#(number)","method":"POST","url":"\#(url)","body":{"model":"m","max_tokens":\#(number),"#
            + #""messages":[{"role":"user","content":"\#(prompt)"}]}}"#
    }

    private func create(_ simulator: RunningSimulator, _ file: String) async throws -> JSONProbe {
        try await RawClient.post(
            simulator.port, "/v1/batches",
            #"{"input_file_id":"\#(file)","endpoint":"/v1/chat/completions","completion_window":"24h","#
                + #""metadata":{"for":"x"}}"#
        ).json()
    }

    private func get(_ simulator: RunningSimulator, _ path: String) async throws -> RawAnswer {
        try await RawClient.send(port: simulator.port, "GET", path)
    }

    @Test func `a batch serves each line once, however often it is polled`() async throws {
        try await withSimulator { simulator in
            let broken = "x [[simulator status=400]]"
            let file = try await upload(simulator, [line(1), line(2), line(3, broken)])
            let created = try await create(simulator, file)
            #expect(created["status"].string == "validating")
            let id = try #require(created["id"].string)
            var batch = created
            for _ in 0..<4 { batch = try await get(simulator, "/v1/batches/\(id)").json() }
            #expect(batch["status"].string == "completed")
            #expect(batch["request_counts"]["completed"].int == 2)
            #expect(batch["request_counts"]["failed"].int == 1)
            #expect(batch["metadata"]["for"].string == "x")
            #expect(batch["usage"]["output_tokens"].int == 3)
            let output = try #require(batch["output_file_id"].string)
            let lines = try await get(simulator, "/v1/files/\(output)/content").body.split(separator: "\n")
                .map { try JSONProbe(String($0)) }
            #expect(lines.map { $0["custom_id"].string } == ["c1", "c2"])
            #expect(lines.map { $0["response"]["body"]["usage"]["completion_tokens"].int } == [1, 2])
            let errors = try #require(batch["error_file_id"].string)
            let error = try JSONProbe(try await get(simulator, "/v1/files/\(errors)/content").body)
            #expect(error["response"]["status_code"].int == 400)
            let book = simulator.requests()
            #expect(book.map(\.requestID) == ["\(id)/c1", "\(id)/c2"])
            #expect(book.allSatisfy { $0.isBatch && $0.outcome == .complete })
            #expect(book.map(\.completionTokensProduced) == [1, 2])
        }
    }

    @Test func `a cancelled batch keeps what it has served`() async throws {
        try await withSimulator("batch_ms=100000") { simulator in
            let file = try await upload(simulator, (1...50).map { line($0) })
            let id = try #require(try await create(simulator, file)["id"].string)
            let cancelled = try await RawClient.send(port: simulator.port, "POST", "/v1/batches/\(id)/cancel").json()
            #expect(cancelled["status"].string == "cancelling")
            let over = try await get(simulator, "/v1/batches/\(id)").json()
            #expect(over["status"].string == "cancelled")
            #expect(over["request_counts"]["completed"].int == simulator.requests().count)
            #expect(simulator.requests().count < 50)
        }
    }

    @Test func `a file that is none of a batch fails the batch`() async throws {
        try await withSimulator { simulator in
            let file = try await upload(simulator, [line(1), line(2, url: "/v1/completions")])
            let id = try #require(try await create(simulator, file)["id"].string)
            let batch = try await get(simulator, "/v1/batches/\(id)").json()
            #expect(batch["status"].string == "failed")
            #expect(batch["errors"]["data"][0]["message"].string?.contains("line 2") == true)
            #expect(simulator.requests().isEmpty)
        }
    }

    @Test func `files are listed, shown, read and deleted`() async throws {
        try await withSimulator { simulator in
            let file = try await upload(simulator, [line(1)])
            #expect(try await get(simulator, "/v1/files").json()["data"].elements.count == 1)
            #expect(try await get(simulator, "/v1/files/\(file)").json()["filename"].string == "in.jsonl")
            #expect(try await get(simulator, "/v1/files/\(file)/content").body == line(1) + "\n")
            let gone = try await RawClient.send(port: simulator.port, "DELETE", "/v1/files/\(file)").json()
            #expect(gone["deleted"] == .bool(true))
            #expect(try await get(simulator, "/v1/files/\(file)").status == 404)
        }
    }
}
