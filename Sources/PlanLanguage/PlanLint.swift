public import Identity
public import Pricing

/// Everything that can be said about a plan document without publishing it.
public struct PlanLint: Sendable {
    /// The version that the document makes; nil where there are errors.
    public let version: PlanVersion?
    /// Errors and warnings, in the order of their lines.
    public let findings: [PlanFinding]

    /// Checks the YAML of a plan. Never fails: what is wrong is in `findings`.
    /// - Parameter now: real time; nil: nothing is said of what time makes stale.
    public init(yaml: String, now: Timestamp? = nil) {
        let (document, readFindings, lines) = PlanReader.read(yaml)
        guard let document else {
            version = nil
            findings = PlanLint.sorted(readFindings)
            return
        }
        var findings = PlanRules.findings(in: document, lines: lines)
        if let now { findings += PlanRules.staleFindings(in: document, lines: lines, now: now) }
        var version: PlanVersion?
        do {
            let valid = try PlanVersion(document: document, lines: lines)
            let unpublishable = valid.publicationFindings(lines: lines)
            findings += unpublishable
            version = unpublishable.isEmpty ? valid : nil
        } catch {
            findings += error.findings.filter { !findings.contains($0) }
        }
        self.version = version
        self.findings = PlanLint.sorted(findings)
    }

    /// Whether nothing stands in the way of publishing; warnings do not.
    public var isPublishable: Bool { version != nil }

    private static func sorted(_ findings: [PlanFinding]) -> [PlanFinding] {
        findings.sorted { ($0.line ?? 0, $0.path, $0.message) < ($1.line ?? 0, $1.path, $1.message) }
    }
}

extension PlanDocument {
    /// Reads a plan's YAML, whatever its values mean together.
    public init(yaml: String) throws(PlanRejection) {
        let (document, findings, _) = PlanReader.read(yaml)
        guard let document else { throw PlanRejection(findings: findings) }
        self = document
    }
}

extension PlanVersion {
    /// Reads a plan's YAML: a file of `pricing-plans`, or the canonical text of a published version.
    public init(yaml: String) throws(PlanRejection) {
        let (document, findings, lines) = PlanReader.read(yaml)
        guard let document else { throw PlanRejection(findings: findings) }
        try self.init(document: document, lines: lines)
    }
}
