import Storage

/// Every endpoint, in the order in which the document lists them.
enum API {
    static func endpoints(_ services: AdminServices) -> [Endpoint] {
        let resources =
            SellerEndpoints.all + AccountEndpoints.all + SandboxEndpoints.all + TenantEndpoints.all
            + ProjectEndpoints.all
            + APIKeyEndpoints.all + LimitEndpoints.all
            + AdminKeyEndpoints.all + PlanEndpoints.all + PlanDocumentEndpoints.all + ExplanationEndpoints.all
            + CatalogueEndpoints.all(services) + SecretEndpoints.all(services) + SubscriptionEndpoints.all
            + UsageEndpoints.all + RecordEndpoints.all
            + SuspenseEndpoints.all(services) + JournalEndpoints.all + InvoiceEndpoints.all(services)
            + CreditNoteEndpoints.all(services)
            + InvoiceRunEndpoints.all(services) + ServiceLevelEndpoints.all(services)
            + ServiceLevelCreditEndpoints.all(services)
            + AuditEndpoints.all + OperationEndpoints.all(services)
        // The document describes itself too.
        let document = OperationEndpoints.document { "" }
        let text = OpenAPIDocument(endpoints: resources + [document]).json.jsonText
        return resources + [OperationEndpoints.document { text }]
    }
}
