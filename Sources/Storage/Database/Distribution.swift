/// placeholder
enum DistributionTables {
    static let referenceTables = ["plans", "plan_versions", "effective_prices"]
}
