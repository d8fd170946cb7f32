import Engines
import Identity
import Metering

/// Makes ids of what an upstream's account keeps worth something to one project only.
///
/// The account is shared by all tenants. What a client sees is the upstream's id with a code behind it that nobody can
/// make without the installation's secret; it covers the project, the backend and the id, so an id that was guessed, or
/// overheard from another project, means nothing. Nothing has to be remembered: every gateway makes and checks the same
/// codes.
struct ObjectSeal {
    /// What an id is of.
    enum Kind: String {
        case file, batch, response, prediction, interaction, container
    }

    /// An object as its backend knows it.
    struct Place: Hashable {
        let backend: String
        let id: String
    }

    private let secret: [UInt8]

    /// Between the upstream's id and the code.
    private static let mark = "-tg"
    /// Bytes of a code: 128 bits.
    private static let codeBytes = 16
    /// The longest id that is looked at.
    private static let idBytesMax = 512

    /// Nil where the installation's secret is not known.
    init?(secret: [UInt8]) {
        guard !secret.isEmpty else { return nil }
        self.secret = secret
    }

    /// The id that the project's clients see.
    func sealed(_ place: Place, _ kind: Kind, for project: ProjectID) -> String {
        place.id + ObjectSeal.mark + Hexadecimal.text(of: code(of: place, kind, project))
    }

    /// What a client's id means; nil for one that was never given to this project, or is of none of these backends.
    func opened(_ id: String, _ kind: Kind, for project: ProjectID, on backends: [Backend]) -> Place? {
        let tail = ObjectSeal.mark.utf8.count + 2 * ObjectSeal.codeBytes
        guard id.utf8.count <= ObjectSeal.idBytesMax, id.utf8.count > tail, id.utf8.allSatisfy({ $0 < 0x80 }),
            let shown = Hexadecimal.bytes(of: id.suffix(2 * ObjectSeal.codeBytes)),
            id.dropLast(2 * ObjectSeal.codeBytes).hasSuffix(ObjectSeal.mark)
        else { return nil }
        let upstream = String(id.dropLast(tail))
        return backends.lazy.map { Place(backend: $0.name, id: upstream) }
            .first { ObjectSeal.areEqual(code(of: $0, kind, project), shown) }
    }

    private func code(of place: Place, _ kind: Kind, _ project: ProjectID) -> [UInt8] {
        code(
            for: "id", [Array(kind.rawValue.utf8), project.uuid.bytes, Array(place.backend.utf8), Array(place.id.utf8)])
    }

    /// A code over these fields, for this purpose and no other.
    func code(for purpose: String, _ fields: [[UInt8]]) -> [UInt8] {
        var message: [UInt8] = []
        for field in [Array(purpose.utf8)] + fields {
            // The length in front keeps two neighbours from being divided elsewhere.
            for shift in stride(from: 24, through: 0, by: -8) {
                message.append(UInt8(truncatingIfNeeded: field.count >> shift))
            }
            message += field
        }
        return Array(HMACSHA256.authenticationCode(for: message, key: secret).prefix(ObjectSeal.codeBytes))
    }

    /// Compares without telling by its time how much is equal.
    static func areEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        left.count == right.count && zip(left, right).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
    }
}

/// What the gateway knows again of a file that it let through: it stands in front of the file's name at the upstream,
/// and is taken away before a client sees that name. It says whose the file is (which upstreams cannot be asked), and
/// what its lines ask for, so that no batch of it has to be read again.
struct FileTag: Equatable {
    /// As the client sent it, before the model was renamed.
    let byteCount: Int
    let surface: Surface
    /// As the client names it.
    let model: String

    private static let prefix = "tg1."

    /// The name at the upstream.
    func name(before original: String, for project: ProjectID, on backend: String, by seal: ObjectSeal) -> String {
        let payload = Array("\(byteCount)\n\(surface.rawValue)\n\(model)".utf8)
        let code = FileTag.code(payload, project, backend, seal)
        return FileTag.prefix + Base64URL.text(of: payload) + "." + Base64URL.text(of: code) + "." + original
    }

    /// The tag and the client's own name of a file; nil for one that is not this project's, or that no gateway let
    /// through.
    static func read(
        _ name: String, for project: ProjectID, on backend: String, by seal: ObjectSeal
    ) -> (tag: FileTag, original: String)? {
        guard name.hasPrefix(prefix) else { return nil }
        let parts = name.dropFirst(prefix.count).split(separator: ".", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, let payload = Base64URL.bytes(of: parts[0]), let shown = Base64URL.bytes(of: parts[1]),
            ObjectSeal.areEqual(code(payload, project, backend, seal), shown)
        else { return nil }
        let fields = String(decoding: payload, as: UTF8.self).split(
            separator: "\n", maxSplits: 2, omittingEmptySubsequences: false)
        guard fields.count == 3, let byteCount = Int(fields[0]), let surface = Surface(rawValue: String(fields[1]))
        else { return nil }
        let tag = FileTag(byteCount: byteCount, surface: surface, model: String(fields[2]))
        return (tag, String(parts[2]))
    }

    private static func code(
        _ payload: [UInt8], _ project: ProjectID, _ backend: String, _ seal: ObjectSeal
    ) -> [UInt8] {
        seal.code(for: "file", [payload, project.uuid.bytes, Array(backend.utf8)])
    }
}

/// RFC 4648, section 5, without padding.
enum Base64URL {
    private static let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    static func text(of bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        for byte in bytes {
            bits = bits << 8 | UInt32(byte)
            count += 8
            while count >= 6 {
                count -= 6
                text.append(digits[Int(bits >> UInt32(count) & 63)])
            }
        }
        if count > 0 { text.append(digits[Int(bits << UInt32(6 - count) & 63)]) }
        return String(decoding: text, as: UTF8.self)
    }

    /// Nil for anything that `text` does not write.
    static func bytes(of text: some StringProtocol) -> [UInt8]? {
        var bytes: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        for character in text.utf8 {
            guard let digit = digits.firstIndex(of: character) else { return nil }
            bits = bits << 6 | UInt32(digit)
            count += 6
            if count >= 8 {
                count -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        return Base64URL.text(of: bytes) == text ? bytes : nil
    }
}
