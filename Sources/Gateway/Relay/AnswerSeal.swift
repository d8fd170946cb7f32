import Accounts
import Engines
import Glibc
import Identity
import Metering
import NIOCore

/// Has a client see, in the place of each id of something that an engine keeps, the one that only its project can use:
/// in plain answers and streams, wherever an id is repeated, in addresses too. All other bytes stay as they are.
///
/// Ids that the client named itself are known from the start, the answer's own as soon as it has come by. Nothing
/// spans two lines, so that only an unfinished line waits, and of a long one only its end.
final class AnswerSeal {
    private struct Pattern {
        let from: [UInt8]
        let to: [UInt8]
        /// Where it stands next in what is being looked through; nil where nowhere.
        var next: Int?
    }

    private let seal: ObjectSeal
    private let project: ProjectID
    private let backend: String
    private let kind: ObjectSeal.Kind?
    private var patterns: [Pattern] = []
    private var learned: Set<String> = []
    private var pending: [UInt8] = []
    /// The last byte that went on.
    private var previous: UInt8 = 0x0A

    /// An id that is not longer never spans what is held back of a long line.
    private static let tailBytes = 1024
    /// What is held back of a line before its end is given up.
    private static let lineBytesMax = 16 * 1024
    /// Shorter ids could be words: they count only where a whole text, or a part of an address, is one.
    private static let plainBytesMin = 16
    /// The most ids that one answer is looked through for.
    private static let patternsMax = 300

    /// `kind`: what the answer's own id is of; nil where it is of nothing that is kept.
    init(
        _ seal: ObjectSeal, project: ProjectID, backend: String, kind: ObjectSeal.Kind?, opened: [OpenedID]
    ) {
        self.seal = seal
        self.project = project
        self.backend = backend
        self.kind = kind
        for id in opened { add(id.upstream, id.sealed) }
    }

    /// The seal of an inference's answer; nil where it can name nothing that is kept.
    convenience init?(of admitted: AdmittedRequest, on backend: Backend, secret: [UInt8]) {
        let kind: ObjectSeal.Kind? =
            switch admitted.request.surface {
            case .responses: .response
            case .replicatePredictions: .prediction
            case .geminiGenerate where admitted.request.isInteraction: .interaction
            default: nil
            }
        guard kind != nil || !admitted.openedIDs.isEmpty, let seal = ObjectSeal(secret: secret) else { return nil }
        self.init(
            seal, project: admitted.grant.projectID, backend: backend.name, kind: kind, opened: admitted.openedIDs)
    }

    /// The answer's own id, once it is known.
    func learn(_ id: String?) {
        guard let id, let kind, !learned.contains(id) else { return }
        add(id, seal.sealed(ObjectSeal.Place(backend: backend, id: id), kind, for: project))
    }

    private func add(_ upstream: String, _ sealed: String) {
        guard !upstream.isEmpty, patterns.count < Self.patternsMax, learned.insert(upstream).inserted else { return }
        patterns.append(Pattern(from: Array(upstream.utf8), to: Array(sealed.utf8)))
    }

    // MARK: Bytes

    /// Takes what came and appends what may go on.
    func take(_ bytes: UnsafeRawBufferPointer, into output: inout ByteBuffer) {
        pending.append(contentsOf: bytes)
        if let newline = pending.lastIndex(of: 0x0A) {
            pass(newline + 1, into: &output)
        } else if pending.count > Self.lineBytesMax {
            pass(pending.count - Self.tailBytes, into: &output)
        }
    }

    /// Appends what was held back: there is no more, or what comes is of something else.
    func finish(into output: inout ByteBuffer) { pass(pending.count, into: &output) }

    /// A whole document.
    func sealed(_ bytes: ByteBuffer) -> ByteBuffer {
        var output = ByteBuffer()
        bytes.withUnsafeReadableBytes { take($0, into: &output) }
        finish(into: &output)
        return output
    }

    private func pass(_ end: Int, into output: inout ByteBuffer) {
        guard end > 0 else { return }
        let taken = pending.withUnsafeBytes { replace(in: $0, end: end, into: &output) }
        previous = pending[taken - 1]
        pending.removeFirst(taken)
    }

    /// Writes the bytes up to `end`, or to the end of an id that reaches beyond it. Returns up to where.
    private func replace(in bytes: UnsafeRawBufferPointer, end: Int, into output: inout ByteBuffer) -> Int {
        for index in patterns.indices { patterns[index].next = place(of: patterns[index].from, in: bytes, from: 0) }
        var member = nextMember(in: bytes, from: 0)
        var start = 0
        while true {
            var match: (range: Range<Int>, bytes: [UInt8])?
            for pattern in patterns {
                guard let next = pattern.next, next < match?.range.lowerBound ?? end else { continue }
                match = (next..<next + pattern.from.count, pattern.to)
            }
            if let found = member, found.range.lowerBound < match?.range.lowerBound ?? end { match = found }
            guard let match else { break }
            output.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[start..<match.range.lowerBound]))
            output.writeBytes(match.bytes)
            start = match.range.upperBound
            for index in patterns.indices where patterns[index].next.map({ $0 < start }) == true {
                patterns[index].next = place(of: patterns[index].from, in: bytes, from: start)
            }
            if let found = member, found.range.lowerBound < start { member = nextMember(in: bytes, from: start) }
        }
        guard start < end else { return start }
        output.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
        return end
    }

    /// The next place from `start` on where the id stands for itself and is no part of another word.
    private func place(of id: [UInt8], in bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
        var start = start
        while let found = AnswerSeal.find(id, in: bytes, from: start) {
            let before = found == 0 ? previous : bytes[found - 1]
            let after = found + id.count < bytes.count ? bytes[found + id.count] : 0x0A
            if id.count < Self.plainBytesMin {
                let isText = before == UInt8(ascii: "\"") && after == UInt8(ascii: "\"")
                if isText || before == UInt8(ascii: "/") && !AnswerSeal.isWord(after) { return found }
            } else if !AnswerSeal.isWord(before), !AnswerSeal.isWord(after) {
                return found
            }
            start = found + 1
        }
        return nil
    }

    /// The next member that names something that is kept, whatever it is: an earlier answer, a container, a file. Its
    /// range reaches from its name to its value.
    private func nextMember(
        in bytes: UnsafeRawBufferPointer, from start: Int
    ) -> (range: Range<Int>, bytes: [UInt8])? {
        guard let kind, kind != .prediction else { return nil }
        var start = start
        while let found = AnswerSeal.find(Self.memberEnd, in: bytes, from: start) {
            start = found + Self.memberEnd.count
            guard let member = Self.members.first(where: { $0.owner == kind && $0.ends(at: found, in: bytes) }) else {
                continue
            }
            let name = found - member.name.count
            var index = start
            while index < bytes.count, bytes[index] == 0x20 || bytes[index] == UInt8(ascii: ":") { index += 1 }
            guard name == 0 || bytes[name - 1] != UInt8(ascii: "\\"), index < bytes.count,
                bytes[index] == UInt8(ascii: "\""),
                let close = bytes[(index + 1)...].prefix(Self.tailBytes / 2).firstIndex(of: UInt8(ascii: "\""))
            else { continue }
            let id = String(decoding: bytes[index + 1..<close], as: UTF8.self)
            guard !learned.contains(id), !id.isEmpty, !id.contains("\\"), member.takes(id) else { continue }
            let place = ObjectSeal.Place(backend: backend, id: id)
            return (name..<close, Array(bytes[name...index]) + seal.sealed(place, member.kind, for: project).utf8)
        }
        return nil
    }

    /// A member of an answer whose value is an id of something that is kept.
    private struct Member {
        /// Without its end, which all have in common.
        let name: [UInt8]
        let kind: ObjectSeal.Kind
        /// Of which answers.
        let owner: ObjectSeal.Kind

        /// How such ids begin, where clients may have members of the same name; empty where they all count.
        let beginnings: [String]

        init(
            _ name: StaticString, _ kind: ObjectSeal.Kind, of owner: ObjectSeal.Kind, beginnings: [String] = []
        ) {
            self.name = Array("\"\(name)".utf8)
            self.kind = kind
            self.owner = owner
            self.beginnings = beginnings
        }

        func takes(_ id: String) -> Bool { beginnings.isEmpty || beginnings.contains { id.hasPrefix($0) } }

        func ends(at end: Int, in bytes: UnsafeRawBufferPointer) -> Bool {
            end >= name.count && bytes[end - name.count..<end].elementsEqual(name)
        }
    }

    private static let memberEnd = Array(#"_id""#.utf8)
    private static let members = [
        Member("previous_response", .response, of: .response),
        Member("container", .container, of: .response, beginnings: ["cntr_"]),
        Member("file", .file, of: .response, beginnings: ["file-", "file_", "cfile_"]),
        Member("previous_interaction", .interaction, of: .interaction),
    ]

    private static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }

    private static func find(_ text: [UInt8], in bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
        guard let base = bytes.baseAddress, let first = text.first else { return nil }
        return text.withUnsafeBytes { text in
            guard let wanted = text.baseAddress else { return nil }
            var index = start
            while index + text.count <= bytes.count {
                guard let found = memchr(base + index, Int32(first), bytes.count - index - text.count + 1) else {
                    return nil
                }
                index = UnsafeRawPointer(found) - base
                if memcmp(found, wanted, text.count) == 0 { return index }
                index += 1
            }
            return nil
        }
    }
}
