import Engines
import Identity
import Metering
import NIOCore
import Synchronization
import Testing

@testable import Gateway

/// Ids of what an engine keeps: sealed on the way to a client, opened on the way back, and worth nothing to others.
@Suite(.timeLimit(.minutes(10))) struct KeptIDTests {
    private static let secret = Array("a secret of the installation".utf8)
    private static let id = "resp_68a1f0c2d9e7"

    /// Answers like OpenAI, and remembers what it was asked.
    private final class Service: Sendable {
        private final class Log: Sendable {
            let lines = Mutex<[String]>([])
        }

        private let log = Log()
        let engine: ScriptedEngine

        init(_ answer: @escaping @Sendable (HTTPMessage) -> String) throws {
            let log = log
            engine = try ScriptedEngine { socket, request in
                log.lines.withLock { $0.append(request.startLine + "\n" + request.text) }
                socket.send(answer(request))
            }
        }

        var last: String { log.lines.withLock { $0.last ?? "" } }
        var count: Int { log.lines.withLock { $0.count } }
    }

    private static func response(_ id: String = id, previous: String = "null") -> String {
        #"{"id":"\#(id)","object":"response","status":"completed","model":"engine-small","#
            + #""previous_response_id":\#(previous),"output":[{"id":"msg_1","type":"message","content":"#
            + #"[{"type":"output_text","text":"a \"\#(id)\" b"}]}],"usage":{"input_tokens":5,"output_tokens":3,"#
            + #""total_tokens":8}}"#
    }

    private func gateway(_ service: Service, kind: EngineKind = .openAI) async throws -> TestGateway {
        try await TestGateway(
            engine: service.engine,
            snapshot: TestGateway.snapshot(port: service.engine.port, kind: kind, sealingSecret: Self.secret))
    }

    private func ask(
        _ method: String, _ path: String, key: String = TestGateway.key, _ gateway: TestGateway
    ) throws -> HTTPMessage {
        try gateway.ask(
            "\(method) \(path) HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer \(key)\r\ncontent-length: 0\r\n\r\n")
    }

    private func create(_ members: String, key: String = TestGateway.key, _ gateway: TestGateway) throws -> HTTPMessage
    {
        try gateway.ask(
            TestGateway.request(
                #"{"model":"small","input":"SECRET-PROMPT"\#(members)}"#, path: "/v1/responses", key: key)
        )
    }

    private func sealedID(_ answer: HTTPMessage) throws -> String {
        let object = try JSONObjectText(reading: answer.body)
        return try #require(object.text("id"))
    }

    @Test func `a response is known by a sealed id, can be gone on from, shown, cancelled and deleted`() async throws {
        let service = try Service { request in
            let isChained = request.text.contains("previous_response_id")
            return Answers.plain(body: Self.response(previous: isChained ? #""\#(Self.id)""# : "null"))
        }
        let gateway = try await gateway(service)
        let answer = try create("", gateway)
        let sealed = try sealedID(answer)
        #expect(sealed.hasPrefix(Self.id + "-tg"))
        #expect(answer.text == Self.response(sealed))
        #expect(answer.header("content-length") == "\(answer.body.count)")
        let next = try create(#","previous_response_id":"\#(sealed)""#, gateway)
        #expect(service.last.contains(#""previous_response_id":"\#(Self.id)""#))
        #expect(next.text == Self.response(sealed, previous: #""\#(sealed)""#))
        let shown = try ask("GET", "/v1/responses/\(sealed)?include[]=x&key=1", gateway)
        #expect(shown.text == Self.response(sealed))
        #expect(service.last.hasPrefix("GET /base/v1/responses/\(Self.id)?include[]=x HTTP"))
        #expect(try ask("POST", "/v1/responses/\(sealed)/cancel", gateway).status == 200)
        #expect(service.last.hasPrefix("POST /base/v1/responses/\(Self.id)/cancel "))
        #expect(try ask("GET", "/v1/responses/\(sealed)/input_items", gateway).status == 200)
        #expect(try ask("DELETE", "/v1/responses/\(sealed)", gateway).status == 200)
        #expect(service.last.hasPrefix("DELETE /base/v1/responses/\(Self.id) "))
        #expect(try gateway.records(2).count == 2)
        await gateway.stop()
    }

    @Test func `nobody else's id reaches the engine`() async throws {
        let service = try Service { _ in Answers.plain(body: Self.response()) }
        let gateway = try await gateway(service)
        let sealed = try sealedID(create("", gateway))
        for (id, key) in [(Self.id, TestGateway.key), (sealed, TestGateway.otherKey), (sealed + "0", TestGateway.key)] {
            for path in ["/v1/responses/\(id)", "/v1/responses/\(id)/input_items"] {
                #expect(try ask("GET", path, key: key, gateway).status == 404)
            }
            #expect(try ask("DELETE", "/v1/responses/\(id)", key: key, gateway).status == 404)
            #expect(try ask("POST", "/v1/responses/\(id)/cancel", key: key, gateway).status == 404)
            let chained = try create(#","previous_response_id":"\#(id)""#, key: key, gateway)
            #expect(chained.status == 400)
            #expect(chained.text.contains("previous_response_not_found"))
        }
        for member in [
            #","conversation":"conv_1""#, #","prompt":{"id":"pmpt_1"}"#,
            #","tools":[{"type":"file_search","vector_store_ids":["vs_1"]}]"#,
            #","tools":[{"type":"code_interpreter","container":"cntr_1"}]"#,
            #","instructions":[{"content":[{"type":"input_image","file_id":"file-1"}]}]"#,
        ] {
            let refused = try create(member, gateway)
            #expect(refused.status == 403, "\(member)")
            #expect(refused.text.contains("unknown_object"))
        }
        #expect(service.count == 1)
        await gateway.stop()
    }

    @Test func `a stream names the sealed id in all of its events, wherever it is cut`() async throws {
        let events =
            [
                #"{"type":"response.created","response":{"id":"\#(Self.id)","status":"in_progress"}}"#,
                #"{"type":"response.output_text.delta","delta":"hello"}"#,
                #"{"type":"response.completed","response":{"id":"\#(Self.id)","status":"completed","usage":"#
                    + #"{"input_tokens":5,"output_tokens":1,"total_tokens":6}}}"#,
            ].map { "event: x\ndata: \($0)\n\n" }.joined()
        for size in [1, 7, 64, 10_000] {
            var head = Answers.streamHead
            var rest = events[...]
            while !rest.isEmpty {
                head += Answers.chunk(String(rest.prefix(size)))
                rest = rest.dropFirst(size)
            }
            let whole = head + "0\r\n\r\n"
            let service = try Service { _ in whole }
            let gateway = try await gateway(service)
            let answer = try create(#","stream":true"#, gateway)
            let place = ObjectSeal.Place(backend: "scripted", id: Self.id)
            let seal = try #require(ObjectSeal(secret: Self.secret))
            let sealed = seal.sealed(place, .response, for: TestGateway.id(301))
            #expect(answer.text == events.replacing(Self.id, with: sealed), "\(size)")
            await gateway.stop()
        }
    }

    @Test func `work in the background that nobody could ask after is refused`() async throws {
        let service = try Service { _ in Answers.plain(body: Self.response()) }
        let gateway = try await gateway(service, kind: .xai)
        let refused = try create(#","background":true"#, gateway)
        #expect(refused.status == 400)
        #expect(refused.text.contains("background_not_available"))
        let deferred = try gateway.ask(TestGateway.request(TestGateway.chat(#","deferred":true"#)))
        #expect(deferred.status == 400)
        #expect(deferred.text.contains("'deferred'"))
        #expect(service.count == 0)
        await gateway.stop()
    }

    @Test func `a prediction and its addresses are the project's own`() async throws {
        let id = "gm3qorzdhgbfurvjtvhg6dckhu"
        func document(_ id: String) -> String {
            #"{"id":"\#(id)","model":"small","status":"succeeded","metrics":{"predict_time":1.5},"urls":{"get":"#
                + #""https://api.replicate.com/v1/predictions/\#(id)","cancel":"#
                + #""https:\/\/api.replicate.com\/v1\/predictions\/\#(id)\/cancel"}}"#
        }
        let made = document(id)
        let service = try Service { _ in Answers.plain(status: "201 Created", body: made) }
        let gateway = try await gateway(service, kind: .replicate)
        let path = "/engines/scripted/v1/predictions"
        let answer = try gateway.ask(TestGateway.request(#"{"version":"small","input":{"prompt":"a"}}"#, path: path))
        let sealed = try sealedID(answer)
        #expect(answer.text == document(sealed))
        #expect(try ask("GET", "\(path)/\(sealed)", gateway).text == document(sealed))
        #expect(service.last.hasPrefix("GET /base/v1/predictions/\(id) "))
        #expect(try ask("POST", "\(path)/\(sealed)/cancel", gateway).status == 201)
        #expect(service.last.hasPrefix("POST /base/v1/predictions/\(id)/cancel "))
        let count = service.count
        for (id, key) in [(id, TestGateway.key), (sealed, TestGateway.otherKey)] {
            #expect(try ask("GET", "\(path)/\(id)", key: key, gateway).status == 404)
            #expect(try ask("POST", "\(path)/\(id)/cancel", key: key, gateway).status == 404)
            #expect(try ask("GET", "/engines/scripted/v1/streams/\(id)", key: key, gateway).status == 404)
        }
        #expect(service.count == count)
        await gateway.stop()
    }

    /// An earlier response with its whole conversation is read again for one that goes on from it, and nobody but the
    /// engine knows how long that is.
    @Test(arguments: [true, false])
    func `a stream that goes on from an earlier response costs all that was read, whoever leaves it`(
        leavesAtOnce: Bool
    ) async throws {
        let events = [
            #"{"type":"response.created","response":{"id":"resp_2","status":"in_progress","model":"engine-small"}}"#,
            #"{"type":"response.output_text.delta","delta":"word"}"#,
            #"{"type":"response.completed","response":{"id":"resp_2","status":"completed","model":"engine-small","#
                + #""usage":{"input_tokens":9000,"output_tokens":2,"total_tokens":9002}}}"#,
        ].map { "data: \($0)\n\n" }
        let left = Mutex(false)
        let engine = try ScriptedEngine { socket, request in
            guard request.text.contains("previous_response_id") else {
                return _ = socket.send(Answers.plain(body: Self.response()))
            }
            if !leavesAtOnce { socket.send(Answers.streamHead + events[..<2].map(Answers.chunk).joined()) }
            while !left.withLock({ $0 }) { pause(milliseconds: 5) }
            pause(milliseconds: 100)
            socket.send(
                (leavesAtOnce ? Answers.streamHead + events[..<2].map(Answers.chunk).joined() : "")
                    + Answers.chunk(events[2]) + "0\r\n\r\n")
        }
        let gateway = try await TestGateway(
            engine: engine,
            snapshot: TestGateway.snapshot(port: engine.port, kind: .openAI, sealingSecret: Self.secret))
        let sealed = try sealedID(create("", gateway))
        let socket = try gateway.connect()
        let body =
            #"{"model":"small","input":"on","stream":true,"previous_response_id":"\#(sealed)"}"#
        socket.send(TestGateway.request(body, path: "/v1/responses"))
        while engine.requests.count < 2 { pause(milliseconds: 5) }
        if !leavesAtOnce {
            _ = socket.readHead()
            _ = socket.readChunk()
        }
        socket.close()
        left.withLock { $0 = true }
        let entry = try #require(try gateway.records(2).last)
        #expect(entry.request.outcome == .clientAbort && entry.request.httpStatus == 499)
        #expect(entry.attempts[0].buckets.inputTotal == 9000 && entry.attempts[0].usageSource == .engine)
        await gateway.stop()
    }

    private static let call =
        #"{"id":"ci_1","type":"code_interpreter_call","container_id": "cntr_68","code":"x","outputs":null}"#
    private static let items =
        "[\(call),"
        + #"{"type":"message","content":[{"type":"output_text","text":"say \"container_id\":\"cntr_68\"","#
        + #""annotations":"#
        + #"[{"type":"container_file_citation","container_id":"cntr_68","file_id":"cfile_7"},"#
        + #"{"type":"file_citation","file_id":"file-9","index":3}]}]}]"#

    @Test(arguments: [false, true]) func `containers and files that a response names are sealed`(
        isStream: Bool
    ) async throws {
        let response = Self.response().replacing(#""output":[{"#, with: #""output":\#(Self.items),"x":[{"#)
        let service = try Service { _ in
            guard isStream else { return Answers.plain(body: response) }
            let done = #"data: {"type":"response.output_item.done","item":\#(Self.call)}"#
            return Answers.stream([
                done + "\n\n", "data: {\"type\":\"response.completed\",\"response\":\(response)}\n\n",
            ])
        }
        let gateway = try await gateway(service)
        let answer = try create(isStream ? #","stream":true"# : "", gateway)
        for id in [#""cntr_68""#, #""cfile_7""#, #""file-9""#] { #expect(!answer.text.contains(id), "\(id)") }
        // What the model says is its own.
        #expect(answer.text.contains(#"\"cntr_68\""#))
        let sealed = try #require(answer.text.firstRange(of: "cntr_68-tg")).lowerBound
        let container = String(answer.text[sealed...].prefix { $0 != "\"" })
        let call = #"{"type":"code_interpreter_call","id":"ci_1","code":"x","container_id":"\#(container)"}"#
        for member in [
            #","tools":[{"type":"code_interpreter","container":"\#(container)"}]"#,
            #","include":[],"input":[\#(call)]"#,
        ] {
            let body =
                member.contains("input") ? #"{"model":"small"\#(member)}"# : #"{"model":"small","input":"a"\#(member)}"#
            let mine = try gateway.ask(TestGateway.request(body, path: "/v1/responses"))
            #expect(mine.status == 200, "\(mine.text)")
            #expect(service.last.contains(#""cntr_68""#))
            let count = service.count
            let others = try gateway.ask(
                TestGateway.request(body, path: "/v1/responses", key: TestGateway.otherKey))
            let guessed = try gateway.ask(
                TestGateway.request(body.replacing(container, with: "cntr_68"), path: "/v1/responses"))
            #expect(others.status == 403 && guessed.status == 403 && service.count == count)
        }
        await gateway.stop()
    }
}

@Suite struct AnswerSealTests {
    private func seal(_ opened: [OpenedID] = []) throws -> AnswerSeal {
        AnswerSeal(
            try #require(ObjectSeal(secret: [1, 2, 3])), project: TestGateway.id(1), backend: "one", kind: .response,
            opened: opened)
    }

    @Test func `ids are replaced where they stand for themselves, in pieces of any size`() throws {
        let long = "resp_0123456789abcdef"
        let text =
            #"{"id":"\#(long)","x":"\#(long)2","y":"/v1/\#(long)/z","short":"p1","z":"xp1 p1","u":"a/p1?b"}"#
            + String(repeating: #",{"x":"p1"}"#, count: 4000)
        let wanted = text.replacing(#""\#(long)""#, with: "\"LONG\"").replacing("/\(long)/", with: "/LONG/")
            .replacing("\"p1\"", with: "\"P\"").replacing("/p1?", with: "/P?")
        for size in [1, 3, 100, 5000, 100_000] {
            let seal = try seal([OpenedID(sealed: "LONG", upstream: long), OpenedID(sealed: "P", upstream: "p1")])
            var output = ByteBuffer()
            var rest = Array(text.utf8)[...]
            while !rest.isEmpty {
                Array(rest.prefix(size)).withUnsafeBytes { seal.take($0, into: &output) }
                rest = rest.dropFirst(size)
            }
            seal.finish(into: &output)
            #expect(String(buffer: output) == wanted, "\(size)")
        }
    }

    @Test func `an earlier response is sealed where an answer names it`() throws {
        let seal = try seal()
        let place = ObjectSeal.Place(backend: "one", id: "resp_old")
        let sealed = try #require(ObjectSeal(secret: [1, 2, 3])).sealed(place, .response, for: TestGateway.id(1))
        let text = #"{"previous_response_id": "resp_old","t":"\"previous_response_id\":\"x\""}"#
        #expect(
            String(buffer: seal.sealed(ByteBuffer(string: text)))
                == text.replacing(#""resp_old""#, with: "\"\(sealed)\""))
    }
}
