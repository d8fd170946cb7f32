import StrictYAML
import Testing

@Suite struct YAMLNodeTests {
    private func node(_ yaml: String) throws -> YAMLNode { try #require(try YAMLNode.parse(yaml)) }

    private func refusal(_ yaml: String) -> YAMLProblem? {
        do throws(YAMLProblem) {
            _ = try YAMLNode.parse(yaml)
            return nil
        } catch {
            return error
        }
    }

    @Test(arguments: ["no", "1e3", "0x10", "2026-01-01", ".inf", "010", "null", "on"])
    func `a scalar is the text that stands there`(text: String) throws {
        let plain = try #require(try node("a: \(text)").mapping?.first?.value)
        #expect(plain.text == text && !plain.isQuoted)
        let quoted = try #require(try node("a: \"\(text)\"").mapping?.first?.value)
        #expect(quoted.text == text && quoted.isQuoted && !quoted.isNothing)
    }

    @Test func `values know their line, and mappings their order`() throws {
        let members = try #require(try node("z: 1\n\nb:\n  - x\n  - {y: 2}\n").mapping)
        #expect(members.map(\.key.text) == ["z", "b"])
        #expect(members.map(\.key.line) == [1, 3])
        #expect(members[1].value.sequence?.map(\.line) == [4, 5])
        #expect(try YAMLNode.parse("# nothing").map(\.line) == nil)
        #expect(try node("a:\nb: ~\nc: null").mapping?.allSatisfy { $0.value.isNothing } == true)
    }

    @Test(arguments: [
        ("a: [1, 2", "not valid YAML"), ("a: 1\nb: 2\na: 3", "stands here twice"), ("a: *nobody", "not valid YAML"),
        ("a: 1\n---\nb: 2", "not valid YAML"),
    ])
    func `what cannot be read is said, without the text around it`(yaml: String, message: String) throws {
        let problem = try #require(refusal(yaml))
        #expect(problem.message.contains(message), "\(problem)")
        #expect(!problem.message.contains("[1, 2"))
    }

    @Test func `a short text that names itself again and again is refused, not unfolded`() throws {
        var yaml = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1...9 {
            let name = "*a\(level - 1)"
            yaml += "a\(level): &a\(level) [" + Array(repeating: name, count: 10).joined(separator: ", ") + "]\n"
        }
        #expect(try #require(refusal(yaml)).message.contains("not valid YAML"))
    }

    @Test func `depth has a limit`() throws {
        let deep = String(repeating: "[", count: 80) + String(repeating: "]", count: 80)
        #expect(try #require(refusal("a: \(deep)")).message.contains("deeper than"))
        let flat = String(repeating: "[", count: 40) + String(repeating: "]", count: 40)
        #expect(refusal("a: \(flat)") == nil)
    }
}
