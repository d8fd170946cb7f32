import Accounts
import Engines
import Identity
import Metering
import Monetary
import Pricing

/// `GET /v1/prices`: what the key's plan charges for the models that the key can use, as it is billed.
extension LocalAnswers {
    func prices(for grant: KeyGrant?) -> Answer {
        let admission = shared.admission
        guard let grant, let version = admission.versionInForce(for: grant) else { return .refusal(.pricesUnknown) }
        let tiers = version.tiers.filter { $0 == ServiceTier.standard || grant.tiers.contains($0) }
        let sold = tiers + (version.batchTier == ServiceTier.batch ? [ServiceTier.batch] : [])
        var bytes = Array(#"{"object":"list","plan":"#.utf8)
        JSONString.append(version.planID, to: &bytes)
        bytes.append(contentsOf: #","version":\#(version.version),"currency":"#.utf8)
        JSONString.append(version.currency.code, to: &bytes)
        bytes.append(contentsOf: #","units":1000000,"data":["#.utf8)
        var isFirst = true
        for model in admission.snapshot.catalogue.models where model.isAllowed(for: grant.tenantID) {
            for list in version.priceLists(for: model.priceKey, tiers: sold) {
                if !isFirst { bytes.append(UInt8(ascii: ",")) }
                isFirst = false
                append(list, of: model, to: &bytes)
            }
        }
        bytes.append(contentsOf: "]}".utf8)
        return .body(status: 200, type: "application/json", bytes: bytes)
    }

    private func append(_ list: PriceList, of model: CatalogueModel, to bytes: inout [UInt8]) {
        bytes.append(contentsOf: #"{"object":"price","model":"#.utf8)
        JSONString.append(model.publicName, to: &bytes)
        bytes.append(contentsOf: #","tier":"#.utf8)
        JSONString.append(list.tier, to: &bytes)
        bytes.append(contentsOf: #","prices":"#.utf8)
        append(list.prices, to: &bytes)
        bytes.append(contentsOf: #","conditions":["#.utf8)
        for (index, condition) in list.conditions.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            bytes.append(contentsOf: #"{"name":"#.utf8)
            JSONString.append(condition.variant, to: &bytes)
            bytes.append(contentsOf: #","prices":"#.utf8)
            append(condition.prices, to: &bytes)
            bytes.append(UInt8(ascii: "}"))
        }
        bytes.append(contentsOf: "]}".utf8)
    }

    private func append(_ prices: [EffectivePrice], to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "{"))
        for (index, price) in prices.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            bytes.append(contentsOf: #""\#(price.meter.rawValue)":"\#(price.unitPrice)""#.utf8)
        }
        bytes.append(UInt8(ascii: "}"))
    }
}

extension Admission {
    /// The version that prices what the key asks for now; nil where nobody told this gateway of it.
    func versionInForce(for grant: KeyGrant) -> PlanVersion? {
        let instant = now.advanced(byMilliseconds: grant.clockOffsetMilliseconds)
        return snapshot.prices.history(of: grant.plan)?.version(at: instant, under: grant.clock)
    }
}

extension APIError {
    static let pricesUnknown = APIError(
        status: 503, type: "server_error", code: "prices_unknown",
        message: "The prices of your plan are not known here at the moment. Try again in a minute.")
}
