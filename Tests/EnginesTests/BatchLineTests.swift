import Testing

@testable import Engines

/// Lines of a batch's files: what they ask for, and what they answer.
@Suite struct BatchLineTests {
    private static let answer = #""choices":[{"message":{"content":"hello"}}],"usage":{"prompt_tokens":9}"#

    private func read(_ line: String) throws -> (line: BatchOutputLine, body: String) {
        try Array(line.utf8).withUnsafeBytes { bytes in
            let read = try BatchOutputLine(reading: bytes)
            return (read, String(decoding: bytes[read.body], as: UTF8.self))
        }
    }

    @Test(arguments: [
        #"{"custom_id":"a","response":{"id":"x",\#(answer)},"error":null}"#, #"{"custom_id":"a",\#(answer)}"#,
        #"{"custom_id":"a","response":{"status_code":200,"body":{\#(answer)}},"error":null}"#,
    ])
    func `an answer is read where it stands in its line`(line: String) throws {
        let (read, body) = try read(line)
        #expect(read.status == 200 && !read.hasError)
        #expect(body.hasPrefix("{") && body.contains("choices"))
    }

    @Test(arguments: [
        (#"{"custom_id":"a","response":null,"error":{"code":"batch_expired"}}"#, 0, true),
        (#"{"custom_id":"a","response":{"status_code":200,"body":null},"error":null}"#, 200, false),
        (#"{"custom_id":"a","response":{"status_code":200,"body":"{}"}}"#, 200, false),
        (#"{"custom_id":"a","response":null,"error":null}"#, 0, false),
    ])
    func `a line without an answer says why, or is looked at by somebody`(
        line: String, status: Int, hasError: Bool
    ) throws {
        let read = try read(line).line
        #expect(read.body.isEmpty && read.status == status && read.hasError == hasError)
    }

    // MARK: What a line asks for

    private func input(_ members: String, url: String = "/v1/chat/completions") throws -> BatchInput {
        let line =
            #"{"custom_id":"a","method":"POST","url":"\#(url)","body":{"model":"m","messages":[],"#
            + #""input":"i",\#(members)}}"#
        return try Array(line.utf8).withUnsafeBytes { bytes throws(RequestError) in
            try BatchInput(reading: bytes)
        }
    }

    @Test(arguments: [#""organization":"o""#, #""models":["x"]"#, #""priority":1"#])
    func `a member is refused where the batch goes, as it is alone`(members: String) throws {
        let line = try input(members)
        #expect(line.restricted(on: [.openAICompatible]) != nil && line.restricted(on: [.openAI]) == nil)
    }

    // MARK: What failures hand over

    @Test(
        arguments: [
            (#""failed_generation":"{\"name\":\"f\",\"arguments\":{\"a\":\"b\"}}""#, 34),
            (#""failed_generation":"abc""#, 3), (#""failed_generation":"\u0061\n\"é""#, 5),
            (#""failed_generation":{"a":"x\"y"}"#, 11), (#""failed_generation":null"#, 0),
            (#""failed_generation":"\ud83d\ude00""#, 4),
        ] as [(String, Int64)])
    func `text that a failure hands over is counted as what its escapes stand for`(member: String, count: Int64) {
        #expect(Array("{\(member)}".utf8).withUnsafeBytes { FailedGeneration.bytes(in: $0) } == count)
    }

    @Test(arguments: [#"{"failed_generation":"ab\"#, #"{"failed_generation":{"a":"b\"#, #"{"failed_generation":""#])
    func `a body that was cut inside of it is read to its end`(text: String) {
        #expect(Array(text.utf8).withUnsafeBytes { FailedGeneration.bytes(in: $0) } < 8)
    }
}
