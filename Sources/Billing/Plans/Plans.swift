public import PlanLanguage
public import Pricing
public import Storage

extension ReadSession {
    public func plans(limit: Int = PageRequest.limitDefault, after: String? = nil) throws -> Page<PlanSummary> {
        try look(.read(.plans)) { try PlanStorage.list(limit: limit, after: after, in: $0) }
    }

    /// All versions of a plan, the first one first; none where there is no such plan.
    public func planVersions(of plan: String) throws -> [PublishedPlanVersion] {
        try look(.read(.plans)) { try PlanStorage.versions(of: plan, in: $0) }
    }

    public func planVersion(_ version: Int, of plan: String) throws -> PublishedPlanVersion? {
        try look(.read(.plans)) { try PlanStorage.find(plan, version: version, in: $0) }
    }

    /// What a document says, without publishing it.
    public func lintPlan(_ document: String) throws -> PlanLint {
        try look(.read(.plans)) { _ in PlanLint(yaml: document, now: now) }
    }

    /// What a document would change: against the newest published version of a lower number, or of any where there is
    /// none; nil where none is published.
    public func diffPlan(_ new: PlanVersion) throws -> PlanDiff? {
        try look(.read(.plans)) { tx in
            let others = try PlanStorage.history(of: new.planID, in: tx).versions
            guard let old = others.last(where: { $0.version < new.version }) ?? others.last else { return nil }
            return PlanDiff(from: old, to: new)
        }
    }
}

extension WriteSession {
    /// Publishes a version of a plan. Publishing the same again changes nothing.
    public func publishPlan(
        _ version: PlanVersion
    ) throws -> (outcome: PlanStorage.Application, published: PublishedPlanVersion) {
        try change(.planPublished) { tx in
            let outcome = try PlanStorage.apply(version, now: now, in: tx)
            guard let published = try PlanStorage.find(version.planID, version: version.version, in: tx) else {
                throw StorageError.notFound("plan \(version.planID)")
            }
            guard outcome == .published else { return .nothing((outcome, published)) }
            return .made(
                (outcome, published),
                .seller("\(version.planID)@\(version.version)", after: published.facts))
        }
    }
}
