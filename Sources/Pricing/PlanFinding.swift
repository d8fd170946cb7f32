/// One thing that is wrong, or looks wrong, in a plan document: where, what, and what to do about it.
public struct PlanFinding: Hashable, Sendable {
    /// Whether the plan can be published all the same.
    public enum Severity: String, Sendable {
        /// The plan cannot be published.
        case error
        /// The plan can be published; someone should look.
        case warning
    }

    /// Whether the plan can be published all the same.
    public let severity: Severity
    /// The place in the document, such as `models.sim-small.input`; empty for the document as a whole.
    public let path: String
    /// The line in the file, from 1; nil for what stands nowhere (a missing key) or was not read from text.
    public let line: Int?
    /// What is wrong and what to do about it.
    public let message: String

    /// The most findings that one document is told about.
    public static let countMax = 200

    public init(_ severity: Severity, path: String, line: Int? = nil, _ message: String) {
        self.severity = severity
        self.path = path
        self.line = line
        self.message = message
    }
}

extension PlanFinding: CustomStringConvertible {
    /// `line 12: error: models.sim-small.input: …`
    public var description: String {
        let place = line.map { "line \($0): " } ?? ""
        return place + severity.rawValue + ": " + (path.isEmpty ? "" : path + ": ") + message
    }
}

/// A plan document that cannot become a version: at least one finding is an error.
public struct PlanRejection: Error, Hashable, Sendable, CustomStringConvertible {
    /// Errors, possibly with warnings between them.
    public let findings: [PlanFinding]

    public init(findings: [PlanFinding]) { self.findings = findings }

    public var description: String { findings.map(\.description).joined(separator: "\n") }
}
